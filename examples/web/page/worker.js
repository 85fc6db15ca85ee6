// Runs one model. The page sends `load` once, then `generate`, `stop` and `forget`; what comes back is
// `loading`, `loaded` or `failed`, then `text`, `done` or `refused`.
import init, { Loader } from './xielu_web.js';

/// Milliseconds between what is sent to the page, where tokens come faster.
const INTERVAL = 16;

let model;
let stopping = false;

/// Lets messages in. (A timer would wait for longer.)
function yieldToMessages() {
    return new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
            port1.close();
            resolve();
        };
        port2.postMessage(null);
    });
}

/// `file` is a Blob, or the address of one.
async function load(file) {
    await init();
    let blob = file;
    if (!(blob instanceof Blob)) {
        const response = await fetch(file);
        if (!response.ok) throw new Error(`${file}: ${response.status} ${response.statusText}`);
        blob = await response.blob();
    }
    const loader = new Loader(blob.size);
    const reader = blob.stream().getReader();
    for (let done = 0, sent = 0; ;) {
        const { value } = await reader.read();
        if (!value) break;
        loader.append(value);
        done += value.length;
        if (performance.now() - sent > INTERVAL) {
            sent = performance.now();
            postMessage({ type: 'loading', fraction: done / blob.size });
        }
    }
    model = loader.finish();
    postMessage({ type: 'loaded', facts: JSON.parse(model.facts()) });
}

/// In a conversation the prompt is a message, and the text that follows an answer.
async function generate({ prompt, tokens, temperature, seed, chat }) {
    stopping = false;
    if (chat) {
        model.ask(prompt, tokens, temperature, seed);
        postMessage({ type: 'text', message: prompt });
    } else {
        postMessage({ type: 'text', prompt: model.start(prompt, tokens, temperature, seed) });
    }
    while (!stopping && model.read() > 0) await yieldToMessages();
    const start = performance.now();
    let [count, waiting, sent] = [0, '', start];
    while (!stopping) {
        const text = model.step();
        if (text === undefined) break;
        count += 1;
        waiting += text;
        if (performance.now() - sent >= INTERVAL) {
            postMessage({ type: 'text', text: waiting });
            [waiting, sent] = ['', performance.now()];
            await yieldToMessages();
        }
    }
    const seconds = (performance.now() - start) / 1000;
    postMessage({ type: 'text', text: waiting });
    model.end();
    postMessage({ type: 'done', count, seconds, stopped: stopping });
}

onmessage = async ({ data }) => {
    if (data.type === 'stop') {
        stopping = true;
        return;
    }
    if (data.type === 'forget') {
        model.forget(data.system);
        return;
    }
    const loading = data.type === 'load';
    try {
        await (loading ? load(data.file) : generate(data));
    } catch (error) {
        // A trap leaves the module in an unknown state: the page must start another.
        const trapped = error instanceof WebAssembly.RuntimeError;
        const type = loading || trapped ? 'failed' : 'refused';
        if (type === 'refused') model.end();
        postMessage({ type, problem: trapped ? `it stopped: ${error.message}` : error.message });
    }
};
