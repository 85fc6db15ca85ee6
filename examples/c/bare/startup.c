/* From reset to main on a Cortex-M4F, with newlib's semihosting for printf and exit. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern char data_load[], data_begin[], data_end[], bss_begin[], bss_end[], stack_top[];
void initialise_monitor_handles(void);
int main(void);

void reset(void)
{
    /* Full access to the FPU: CPACR, coprocessors 10 and 11. */
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;
    __asm volatile("dsb\n isb");
    memcpy(data_begin, data_load, (size_t)(data_end - data_begin));
    memset(bss_begin, 0, (size_t)(bss_end - bss_begin));
    initialise_monitor_handles();
    exit(main());
}

/* A fault ends the program with an exit code of its own. */
void fault(void)
{
    exit(99);
}

/* Newlib calls them around main; there is nothing to do. */
void _init(void) {}
void _fini(void) {}

struct vectors {
    const void *stack;
    void (*handlers[15])(void);
};

__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault},
};
