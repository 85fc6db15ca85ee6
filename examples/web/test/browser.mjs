// A static server, and Chromium by WebDriver, which is HTTP.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.wasm': 'application/wasm' };
/// A container has no sandbox of its own for Chromium, and little shared memory.
const ARGS = [
    '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars',
];
/// How WebDriver marks an element in JSON.
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

/// Serves a folder on a free port of this machine.
export async function serve(folder) {
    const server = createServer(async ({ url }, response) => {
        const { pathname } = new URL(url, 'http://localhost');
        const path = pathname === '/' ? 'index.html' : normalize(pathname);
        try {
            const body = await readFile(join(folder, path));
            const type = TYPES[extname(path)] ?? 'application/octet-stream';
            response.writeHead(200, { 'content-type': type }).end(body);
        } catch {
            response.writeHead(404).end();
        }
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return { address: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/// Starts chromedriver on a port of its choice and returns the address.
async function startDriver(driver) {
    for await (const line of createInterface({ input: driver.stdout })) {
        const port = /started successfully on port (\d+)/.exec(line)?.[1];
        if (port) return `http://127.0.0.1:${port}`;
    }
    throw new Error('chromedriver did not start');
}

export class Browser {
    static async start() {
        const browser = new Browser();
        browser.driver = spawn(process.env.CHROMEDRIVER ?? 'chromedriver', ['--port=0'], {
            stdio: ['ignore', 'pipe', 'inherit'],
        });
        try {
            const failed = once(browser.driver, 'error').then(([error]) => Promise.reject(error));
            browser.session = await Promise.race([startDriver(browser.driver), failed]);
            browser.driver.stdout.resume();
            const capabilities = { browserName: 'chrome', 'goog:chromeOptions': { args: ARGS } };
            const asked = { capabilities: { alwaysMatch: capabilities } };
            const { sessionId } = await browser.call('POST', '/session', asked);
            browser.session += `/session/${sessionId}`;
        } catch (error) {
            browser.driver.kill();
            throw error;
        }
        return browser;
    }

    async call(method, path, body) {
        const response = await fetch(this.session + path, {
            method,
            body: body && JSON.stringify(body),
        });
        const { value } = await response.json();
        if (!response.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
        return value;
    }

    open(url) {
        return this.call('POST', '/url', { url });
    }

    /// What the body of a function returns in the page; a promise is waited for.
    run(script, ...args) {
        return this.call('POST', '/execute/sync', { script, args });
    }

    /// Waits until an expression is true in the page.
    async until(expression, seconds = 60) {
        for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(50)) {
            if (await this.run(`return Boolean(${expression})`)) return;
        }
        throw new Error(`not within ${seconds} s: ${expression}`);
    }

    async find(selector) {
        const query = { using: 'css selector', value: selector };
        return (await this.call('POST', '/element', query))[ELEMENT];
    }

    async click(selector) {
        await this.call('POST', `/element/${await this.find(selector)}/click`, {});
    }

    /// The text that is shown; '' where it is hidden.
    async text(selector) {
        return this.call('GET', `/element/${await this.find(selector)}/text`);
    }

    /// Replaces what a field holds, as typing does.
    async type(selector, text) {
        const field = await this.find(selector);
        await this.call('POST', `/element/${field}/clear`, {});
        await this.call('POST', `/element/${field}/value`, { text });
    }

    /// Picks a file.
    async pick(selector, path) {
        await this.call('POST', `/element/${await this.find(selector)}/value`, { text: path });
    }

    /// A command of the DevTools protocol.
    devtools(cmd, params) {
        return this.call('POST', '/goog/cdp/execute', { cmd, params });
    }

    async close() {
        await this.call('DELETE', '').catch(() => {});
        this.driver.kill();
    }
}
