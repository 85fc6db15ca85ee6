//! The products of `products.rs` by the plain kernels of this machine.

#[path = "../products.rs"]
mod products;

fn main() -> Result<(), products::Failed> {
    use products::{Memory, Observer, products};
    use xielu::kernels::{DType, Kernels};

    struct Print;
    impl Observer for Print {
        fn begins(&mut self) {}
        fn computed(&mut self) {}
        fn result(&mut self, dtype: DType, (rows, cols, tokens): (usize, usize, usize), hash: u32) {
            println!("{dtype} {rows}x{cols} {tokens}: {hash}");
        }
    }
    products(&Kernels::scalar(), &mut Memory::new(), &mut Print)
}
