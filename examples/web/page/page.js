// The page: one worker holds the model that runs; a file that is picked is loaded by another,
// which takes its place when the model is ready.
import { drawCurves } from './curves.js';

const BUNDLED = 'tiny-Q8_0.gguf';
const get = (id) => document.getElementById(id);
const number = new Intl.NumberFormat('en');

/// The worker whose model runs, and the one that loads another.
let running = null;
let loading = null;

function say(id, text) {
    get(id).textContent = text;
}

/// Problems take no room while there are none.
function complain(id, text) {
    say(id, text);
    get(id).hidden = !text;
}

function size(bytes) {
    const units = ['bytes', 'KiB', 'MiB', 'GiB'];
    const power = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
    return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

/// What the model's buttons allow now.
function enable(busy) {
    get('generate').disabled = busy || !running;
    get('stop').disabled = !busy;
    for (const id of ['chat', 'system', 'forget']) get(id).disabled = busy;
}

/// Whether the text is a conversation.
const chatting = () => get('chat').checked;

/// Shows what a conversation has and a text has not, or hides it, and begins anew.
function setChat(on) {
    get('chat').checked = on;
    get('chat-more').hidden = !on;
    say('prompt-label', on ? 'Message' : 'Prompt');
    say('generate', on ? 'Send' : 'Generate');
    forget();
}

/// Begins a new conversation, or an empty text.
function forget() {
    say('output', '');
    say('speed', '');
    complain('text-problem', '');
    running?.postMessage({ type: 'forget', system: get('system').value });
}

function showFacts(name, f) {
    const types = Object.entries(f.types).sort((a, b) => b[1] - a[1]);
    const context = f.context < f.trainedContext ? ` of ${number.format(f.trainedContext)}` : '';
    const rows = {
        Name: f.name ?? name,
        Architecture: `${f.architecture}, ${f.activation}`,
        Parameters: number.format(f.parameters),
        Types: types.map(([type]) => type).join(', '),
        'Layers, hidden, ffn': [f.layerCount, f.hidden, f.ffn].map(number.format).join(', '),
        Heads: `${f.heads} query, ${f.kvHeads} key/value`,
        Vocabulary: `${number.format(f.vocabulary)} tokens`,
        Context: `${number.format(f.context)}${context} tokens`,
        File: size(f.file),
        'Working memory': size(f.memory),
        Kernels: f.isa,
    };
    const cells = Object.entries(rows).map(([term, value]) => {
        const cell = document.createElement('div');
        cell.append(document.createElement('dt'), document.createElement('dd'));
        [cell.children[0].textContent, cell.children[1].textContent] = [term, value];
        return cell;
    });
    get('facts').replaceChildren(...cells);
}

function showCurves(facts) {
    get('activations').hidden = false;
    get('curves-note').textContent = facts.layers.length
        ? 'f(x) of every layer, all on one scale. Training found the two alphas of each.'
        : 'This model has no activation that learns.';
    drawCurves(get('curves'), facts);
}

function loaded(worker, name, facts) {
    running?.terminate();
    [running, loading] = [worker, null];
    get('loading').hidden = true;
    get('bundled').hidden = name === BUNDLED;
    say('status', `${name} is ready.`);
    showFacts(name, facts);
    showCurves(facts);
    get('chat-options').hidden = !facts.chat;
    enable(false);
    setChat(facts.chat);
    complain('text-problem', facts.chatProblem ? `No conversation: ${facts.chatProblem}` : '');
}

function failed(worker, name, problem) {
    worker.terminate();
    get('loading').hidden = true;
    complain('problem', `${name}: ${problem}`);
    if (worker === running) {
        running = null;
        say('status', 'No model is loaded.');
        enable(false);
    } else {
        loading = null;
        say('status', running ? 'The model below is still loaded.' : 'No model is loaded.');
    }
}

function append({ prompt, message, text }) {
    const output = get('output');
    const below = output.scrollHeight - output.scrollTop - output.clientHeight < 8;
    if (prompt !== undefined) {
        const shown = document.createElement('span');
        shown.className = 'prompt';
        shown.textContent = prompt;
        output.replaceChildren(shown);
    } else if (message !== undefined) {
        const shown = document.createElement('span');
        shown.className = 'prompt';
        shown.textContent = message;
        if (output.textContent) output.append('\n\n');
        output.append(shown, '\n\n');
        get('prompt').value = '';
    } else {
        output.append(text);
    }
    if (below) output.scrollTop = output.scrollHeight;
}

function done({ count, seconds, stopped }) {
    const rate = number.format(Math.round(count / Math.max(seconds, 1e-6)));
    say('speed', `${stopped ? 'Stopped after ' : ''}${count} tokens, ${rate} tokens/s`);
    enable(false);
}

/// Loads a file, or the address of one, in a worker of its own.
function load(file, name) {
    loading?.terminate();
    const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
    loading = worker;
    complain('problem', '');
    say('status', `Loading ${name}…`);
    get('loading').removeAttribute('value');
    get('loading').hidden = false;
    worker.onerror = (event) => {
        failed(worker, name, `the program cannot be loaded here: ${event.message ?? 'no worker'}`);
    };
    worker.onmessage = ({ data }) => {
        // What was on its way from a worker that has been replaced.
        if (worker !== running && worker !== loading) return;
        switch (data.type) {
            case 'loading': get('loading').value = data.fraction; break;
            case 'loaded': loaded(worker, name, data.facts); break;
            case 'failed': failed(worker, name, data.problem); break;
            case 'text': append(data); break;
            case 'done': done(data); break;
            case 'refused':
                complain('text-problem', data.problem);
                enable(false);
                break;
        }
    };
    worker.postMessage({ type: 'load', file });
}

function pick(files) {
    if (files.length > 0) load(files[0], files[0].name);
}

get('file').addEventListener('change', ({ target }) => {
    pick(target.files);
    target.value = ''; // so that the same file can be picked again
});

get('bundled').addEventListener('click', () => load(BUNDLED, BUNDLED));

get('form').addEventListener('submit', (event) => {
    event.preventDefault();
    complain('text-problem', '');
    say('speed', '');
    enable(true);
    const seed = get('seed').value;
    running.postMessage({
        type: 'generate',
        chat: chatting(),
        prompt: get('prompt').value,
        tokens: get('tokens').valueAsNumber,
        temperature: get('temperature').valueAsNumber,
        seed: seed === '' ? crypto.getRandomValues(new Uint32Array(1))[0] : Number(seed),
    });
});

get('chat').addEventListener('change', () => setChat(chatting()));
get('forget').addEventListener('click', forget);
get('system').addEventListener('change', forget);

get('stop').addEventListener('click', () => running?.postMessage({ type: 'stop' }));

const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    get('drop').hidden = false;
});
addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) get('drop').hidden = true;
});
addEventListener('drop', (event) => {
    get('drop').hidden = true;
    if (!hasFiles(event)) return;
    event.preventDefault();
    pick(event.dataTransfer.files);
});

load(BUNDLED, BUNDLED);
