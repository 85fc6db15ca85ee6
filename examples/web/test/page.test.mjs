// The page in headless Chromium: `node page.test.mjs`, after build.sh. Needs chromium,
// chromedriver and the xielu command (XIELU names it), whose texts and alphas the page must show.
// PAGE names the folder, SCREENSHOTS one for pictures.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Browser, serve } from './browser.mjs';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PAGE = resolve(process.env.PAGE ?? join(ROOT, 'target/web'));
const XIELU = resolve(process.env.XIELU ?? join(ROOT, 'target/release/xielu'));
const MODEL = join(ROOT, 'models/tiny-Q8_0.gguf');
const OTHER = join(ROOT, 'tests/data/tiny-Q4_0.gguf');
const PROMPT = 'The `Vec<T>` type is — naïve 🙂';
const TOKENS = 100;
const TEMPLATE = `{% for m in messages %}## {{ m.role }}
{{ m.content }}
{% endfor %}{% if add_generation_prompt %}## assistant
{% endif %}`;

let server;
let browser;
let folder;

before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'xielu-web-'));
    server = await serve(PAGE);
    browser = await Browser.start();
    await openPage();
});

after(async () => {
    await browser?.close();
    server?.close();
    await rm(folder, { recursive: true, force: true });
});

async function openPage() {
    await browser.open(server.address);
    await browser.until(`document.getElementById('status').textContent.endsWith('ready.')`);
}

/// What the command prints. Plain kernels: the same bits on every machine.
function xielu(...args) {
    return execFileSync(XIELU, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/// What it prints to whom types `input`.
function xieluReads(input, ...args) {
    return execFileSync(XIELU, args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'ignore'] });
}

function greedyText(model) {
    const options = ['-n', String(TOKENS), '--temp', '0', '--isa', 'scalar'];
    return xielu('generate', model, '--prompt', PROMPT, ...options).replace(/\n$/, '');
}

const output = () => browser.run(`return document.getElementById('output').textContent`);

async function generate(tokens, temperature) {
    // WebDriver cannot type characters beyond U+FFFF.
    await browser.run(`document.getElementById('prompt').value = arguments[0]`, PROMPT);
    await browser.type('#tokens', String(tokens));
    await browser.type('#temperature', String(temperature));
    await browser.click('#generate');
    await browser.until(`!document.getElementById('generate').disabled`);
}

/// A file of its own, made of the model's bytes.
async function changed(name, change) {
    const path = join(folder, name);
    await writeFile(path, change(await readFile(MODEL)));
    return path;
}

/// The bytes with those after `key` replaced.
function patched(bytes, key, skip, value) {
    const at = bytes.indexOf(key);
    assert.ok(at > 0, key);
    value.copy(bytes, at + key.length + skip);
    return bytes;
}

async function picture(name, settings) {
    await browser.devtools('Emulation.setDeviceMetricsOverride', {
        height: 900, deviceScaleFactor: 1, mobile: false, ...settings,
    });
    const scheme = { name: 'prefers-color-scheme', value: settings.scheme };
    await browser.devtools('Emulation.setEmulatedMedia', { features: [scheme] });
    if (process.env.SCREENSHOTS) {
        const { data } = await browser.devtools('Page.captureScreenshot', {
            captureBeyondViewport: true,
        });
        await writeFile(join(process.env.SCREENSHOTS, name), data, 'base64');
    }
}

test('the bundled model loads and says what it is', async () => {
    const facts = await browser.text('#facts');
    for (const fact of ['1,148,296', 'apertus, xielu', 'Q8_0', '1,024 tokens', 'simd128']) {
        assert.ok(facts.includes(fact), `${fact} in ${facts}`);
    }
    assert.equal(await browser.text('#problem'), '');
});

test('every layer has its curve, with the alphas of the command', async () => {
    const table = xielu('inspect', MODEL, '--no-tensors').split('\n');
    const rows = table.map((line) => line.trim().split(/\s+/)).filter((row) => row.length === 7 && /^\d+$/.test(row[0]));
    const expected = rows.map(([layer, , , p, n]) =>
        `Layer ${layer}: αp ${Number(p).toFixed(3)}, αn ${Number(n).toFixed(3)}`);
    assert.equal(expected.length, 4);
    const captions = await browser.run(
        `return [...document.querySelectorAll('figcaption')].map((c) => c.textContent)`);
    assert.deepEqual(captions, expected);
    const curves = await browser.run(
        `return [...document.querySelectorAll('.curve')].map((c) => c.getAttribute('points'))`);
    assert.equal(new Set(curves).size, 4);
    for (const curve of curves) {
        const points = curve.split(' ').map((point) => point.split(',').map(Number));
        assert.equal(points.length, 121);
        assert.ok(points.flat().every((v) => v >= 0 && v <= 200), curve);
    }
});

test('greedy text is that of the command', async () => {
    await generate(TOKENS, 0);
    assert.equal(await output(), greedyText(MODEL));
    assert.match(await browser.text('#speed'), new RegExp(`^${TOKENS} tokens, [\\d,]+ tokens/s$`));
});

test('a seed gives its text again, another seed another', async () => {
    const texts = [];
    for (const seed of [4, 4, 5]) {
        await browser.type('#seed', String(seed));
        await generate(TOKENS, 0.9);
        texts.push(await output());
    }
    assert.equal(texts[0], texts[1]);
    assert.notEqual(texts[1], texts[2]);
});

test('what does not fit the context is refused', async () => {
    await generate(300, 0);
    assert.match(await browser.text('#text-problem'), /with 300 to generate .* context of 256/);
    await generate(TOKENS, 0);
    assert.equal(await browser.text('#text-problem'), '');
});

test('unusable files are named, and the loaded model goes on', async () => {
    const large = join(folder, 'large.gguf');
    const file = await open(large, 'w');
    await file.truncate(3 * 2 ** 30);
    await file.close();
    const cases = [
        [await changed('words.txt', () => Buffer.from('Once upon a time')), /GGUF/],
        [await changed('empty.gguf', () => Buffer.alloc(0)), /GGUF|end/],
        [await changed('half.gguf', (b) => b.subarray(0, b.length / 2)), /beyond|end|past|outside/],
        [await changed('mamba.gguf', (b) => patched(b, 'general.architecture', 12, Buffer.from('mambaaa'))), /mambaaa/],
        [large, /too large: it has 3\.0 GiB/],
    ];
    const expected = greedyText(MODEL);
    for (const [path, problem] of cases) {
        await browser.pick('#file', path);
        await browser.until(`document.getElementById('problem').textContent.startsWith(${JSON.stringify(path.split('/').at(-1))})`);
        assert.match(await browser.text('#problem'), problem);
        assert.match(await browser.text('#status'), /still loaded/);
        await generate(TOKENS, 0);
        assert.equal(await output(), expected, path);
    }
});

test('another file takes the place of the model', async () => {
    await browser.pick('#file', OTHER);
    await browser.until(`document.getElementById('status').textContent === 'tiny-Q4_0.gguf is ready.'`);
    assert.equal(await browser.text('#problem'), '');
    assert.match(await browser.text('#facts'), /Q4_0/);
    await generate(TOKENS, 0);
    assert.equal(await output(), greedyText(OTHER));
    await browser.click('#bundled');
    await browser.until(`document.getElementById('status').textContent === 'tiny-Q8_0.gguf is ready.'`);
});

test('a model with a chat template talks as the command does', async () => {
    const directory = join(folder, 'chat');
    await cp(join(ROOT, 'tests/data/tiny'), directory, { recursive: true });
    await writeFile(join(directory, 'chat_template.jinja'), TEMPLATE);
    const model = join(folder, 'chat.gguf');
    xielu('quantize', directory, model, '--type', 'q8_0');
    const said = ['Why?', 'And then?'];
    const options = ['-n', '20', '--temp', '0', '--isa', 'scalar'];
    const answers = (system) => xieluReads(`${said.join('\n')}\n`, 'chat', model, ...options, ...system);

    await browser.pick('#file', model);
    await browser.until(`document.getElementById('status').textContent === 'chat.gguf is ready.'`);
    assert.equal(await browser.run(`return document.getElementById('chat').checked`), true);
    await browser.type('#tokens', '20');
    await browser.type('#temperature', '0');
    const send = async (message) => {
        await browser.type('#prompt', message);
        await browser.click('#generate');
        await browser.until(`!document.getElementById('generate').disabled`);
    };
    for (const system of [[], ['--system', 'Be brief.']]) {
        await browser.type('#system', system[1] ?? '');
        await browser.click('#forget');
        assert.equal(await output(), '');
        for (const message of said) await send(message);
        assert.equal(await browser.text('#text-problem'), '');
        // Both print an answer after the other.
        const shown = (await output()).replace('Why?\n\n', '').replace('\n\nAnd then?\n\n', '\n');
        assert.equal(`${shown}\n`, answers(system));
    }

    // What does not fit is not kept, and stays to be changed.
    await browser.click('#forget');
    await browser.type('#tokens', '300');
    await send('Why?');
    assert.match(await browser.text('#text-problem'), /the conversation has .* context of 256/);
    assert.equal(await browser.run(`return document.getElementById('prompt').value`), 'Why?');
    await browser.type('#tokens', '20');
    await send('Why?');
    assert.ok(answers([]).startsWith((await output()).replace('Why?\n\n', '')));

    // As a text again.
    await browser.click('#chat');
    await generate(TOKENS, 0);
    assert.equal(await output(), greedyText(model));
    await browser.click('#bundled');
    await browser.until(`document.getElementById('status').textContent === 'tiny-Q8_0.gguf is ready.'`);
    assert.equal(await browser.run(`return document.getElementById('chat-options').hidden`), true);
});

test('text appears as it comes, and stops when told', async () => {
    // As long a context as the page gives, so that the text takes a while.
    const context = Buffer.alloc(4);
    context.writeUInt32LE(4096);
    const long = await changed('long.gguf', (b) => patched(b, 'apertus.context_length', 4, context));
    await browser.pick('#file', long);
    await browser.until(`document.getElementById('status').textContent === 'long.gguf is ready.'`);
    await browser.run(`
        const output = document.getElementById('output');
        window.lengths = [];
        new MutationObserver(() => {
            window.lengths.push(output.textContent.length);
            if (window.lengths.length === 5) document.getElementById('stop').click();
        }).observe(output, { childList: true });`);
    await generate(4000, 0.9);
    const [, count] = /^Stopped after ([\d]+) tokens/.exec(await browser.text('#speed'));
    assert.ok(Number(count) > 0 && Number(count) < 4000, count);
    const lengths = await browser.run('return window.lengths');
    assert.ok(lengths.every((n, i) => i === 0 || n >= lengths[i - 1]) && lengths.at(-1) > lengths[0], lengths);
    await generate(TOKENS, 0);
    assert.match(await browser.text('#speed'), new RegExp(`^${TOKENS} tokens`));
});

test('nothing comes from elsewhere', async () => {
    const names = await browser.run(`return performance.getEntriesByType('resource').map((e) => e.name)`);
    assert.ok(names.length > 2 && names.every((name) => name.startsWith(server.address)), names);
});

test('it fits a phone, in light and dark', async () => {
    await openPage();
    await browser.type('#seed', '4');
    await browser.click('#generate');
    await browser.until(`!document.getElementById('generate').disabled`);
    await picture('light.png', { width: 900, scheme: 'light' });
    const ground = () => browser.run('return getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await picture('phone.png', { width: 360, scheme: 'dark' });
    assert.notEqual(await ground(), light);
    const [wide, room] = await browser.run(
        'return [document.documentElement.scrollWidth, document.documentElement.clientWidth]');
    assert.ok(wide <= room, `${wide} pixels in ${room}`);
});
