// Runs the program and reads what it writes.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { decode } from 'fast-png';

/** A variable that scripts/test-page sets. */
function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run scripts/test-page`);
  return value;
}

export const repository = () => given('DERMAGAN_TEST_REPOSITORY');
/** The generator of 128x128 images, which is a file of the repository. */
export const model128 = () => join(repository(), 'models/lesion-generator-128/generator.safetensors');

/** A new folder for files. */
export const folder = () => mkdtempSync(join(tmpdir(), 'dermagan-page-'));

/** Runs a command of the program to its end and returns its output. */
export function dermagan(...line: string[]): string {
  return execFileSync(given('DERMAGAN'), line, { encoding: 'utf8', cwd: repository() });
}

export interface Served {
  url: string;
  stop: () => Promise<void>;
}

/** Serves the page on a free port. */
export async function demo(...line: string[]): Promise<Served> {
  const child: ChildProcess = spawn(given('DERMAGAN'), ['demo', ...line, '--port', '0'], { cwd: repository(), stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  const url = await new Promise<string>((give, fail) => {
    let text = '';
    child.stdout?.on('data', (part: Buffer) => {
      text += part.toString();
      const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(text);
      if (found) give(found[0]);
    });
    child.once('exit', (code) => fail(new Error(`dermagan demo ended with ${code}`)));
  });
  return {
    url,
    stop: async () => {
      child.kill('SIGINT');
      await ended;
    },
  };
}

export interface Picture {
  pixels: Uint8Array;
  text: Record<string, string>;
}

/** The images that `dermagan sample` writes, by the names of their files. */
export function sampled(model: string, ...line: string[]): Map<string, Picture> {
  const out = folder();
  dermagan('sample', model, '--device', 'cpu', '--out', out, ...line);
  const files = readdirSync(out).filter((name) => name.endsWith('.png'));
  return new Map(files.map((name) => [name, picture(readFileSync(join(out, name)))]));
}

/** The pixels and the text of a PNG, three bytes per pixel. */
export function picture(bytes: Uint8Array): Picture {
  const { data, channels, text } = decode(bytes, { checkCrc: true });
  if (channels !== 3) throw new Error(`a PNG with ${channels} channels`);
  return { pixels: data as Uint8Array, text };
}

/** The largest difference of two images in grey levels. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} bytes`);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs((a[i] ?? 0) - (b[i] ?? 0)));
  return most;
}
