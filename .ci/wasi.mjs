// Runs a WASI program in Node: `node wasi.mjs PROGRAM.wasm ARGUMENTS...`. It sees the current
// directory, where tests find their data, and a temporary one.
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { argv, cwd, env, exit } from 'node:process';
import { WASI } from 'node:wasi';

const wasi = new WASI({
    version: 'preview1',
    args: argv.slice(2),
    env,
    preopens: { '.': cwd(), [cwd()]: cwd(), [tmpdir()]: tmpdir() },
    returnOnExit: true,
});
const module = await WebAssembly.compile(await readFile(argv[2]));
// The standard library mentions threads, which WASI does not have.
const missing = WebAssembly.Module.imports(module).filter(({ module }) => module === 'env');
const unavailable = ({ name }) => [name, () => { throw new Error(`no ${name} here`); }];
const imports = { wasi_snapshot_preview1: wasi.wasiImport, env: Object.fromEntries(missing.map(unavailable)) };
const instance = await WebAssembly.instantiate(module, imports);
exit(wasi.start(instance));
