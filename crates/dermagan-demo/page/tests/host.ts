// A static host such as GitHub Pages: it sends no headers that isolate a page, and serves it in a folder.

import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** Serves the files of `folder` below `/some/folder/`. `change` may change the bytes of a file. */
export async function host(folder: string, change: (name: string, bytes: Buffer) => Buffer | undefined = (_, bytes) => bytes): Promise<{ url: string; close: () => void }> {
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/[?#].*/, '').replace('/some/folder/', '') || 'index.html';
    try {
      const bytes = change(path, readFileSync(join(folder, path)));
      if (!bytes) throw new Error('left out');
      response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/some/folder/`, close: () => server.closeAllConnections() ?? server.close() };
}
