// Debian's Chromium with the page open, and what went wrong in it.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { type Browser, type Page, chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** WebGPU on SwiftShader, which computes on the CPU. */
const GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** Starts the browser. */
export const launch = (gpu = false): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', ...(gpu ? GPU : [])],
  });

export interface Opened {
  page: Page;
  /** Errors and warnings of the console, exceptions, failed requests, and requests that leave the page's origin. */
  faults: string[];
  /** The addresses that were asked for, with the bytes of each answer. */
  asked: Map<string, number>;
}

interface How {
  size?: { width: number; height: number };
  dark?: boolean;
}

/** Opens an address in a new profile. */
export async function open(browser: Browser, url: string, { size = DESKTOP, dark = false }: How = {}): Promise<Opened> {
  const context = await browser.newContext({
    viewport: size,
    colorScheme: dark ? 'dark' : 'light',
    deviceScaleFactor: size.width < 500 ? 2 : 1,
    hasTouch: size.width < 500,
    acceptDownloads: true,
  });
  const faults: string[] = [];
  const asked = new Map<string, number>();
  const origin = new URL(url).origin;
  context.on('request', (request) => {
    const at = request.url();
    asked.set(at, asked.get(at) ?? 0);
    if (new URL(at).origin !== origin && !at.startsWith(`blob:${origin}/`)) faults.push(`a request to ${at}`);
  });
  context.on('response', (response) => {
    asked.set(response.url(), Number(response.headers()['content-length'] ?? 0));
    if (response.status() >= 400) faults.push(`${response.status()} for ${response.url()}`);
  });
  context.on('requestfailed', (request) => faults.push(`${request.url()} failed: ${request.failure()?.errorText}`));
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(`console: ${message.text()}`);
  });
  context.on('weberror', (error) => faults.push(`exception: ${error.error().message}`));
  const page = await context.newPage();
  await page.goto(url);
  return { page, faults, asked };
}

/** Waits until all images of a grid are drawn. */
export async function drawn(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const tiles = document.querySelectorAll('.tile');
    return tiles.length > 0 && document.querySelectorAll('.tile[data-drawn]').length === tiles.length;
  }, null, { timeout: 100_000 });
}

/** Shows what an address asks for, and waits for all images of its grid. */
export async function show(page: Page, hash: string): Promise<void> {
  // The grid of the former address goes away at once.
  await page.evaluate((to) => {
    if (location.hash === to) return;
    document.querySelector('#view')?.replaceChildren();
    location.hash = to;
  }, hash);
  await drawn(page);
}

/** The pixels of each image of a grid, three bytes each, by its description. */
export async function tiles(page: Page): Promise<Map<string, number[]>> {
  const found = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLButtonElement>('.tile')].map((tile): [string, number[]] => {
      const canvas = tile.querySelector('canvas');
      const data = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return [tile.getAttribute('aria-label') ?? '', [...data].filter((_, i) => i % 4 !== 3)];
    }),
  );
  return new Map(found);
}

/** The faults of accessibility that axe-core calls serious or critical. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { impact: string; id: string; nodes: { html: string }[] }[] }> } };
    const { violations } = await axe.run();
    const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    return serious.map(({ impact, id, nodes }) => `${impact}: ${id}: ${nodes.map(({ html }) => html.slice(0, 100)).join(' | ')}`);
  });
}

/** Saves a screenshot, if a folder for it is given. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.DERMAGAN_TEST_SHOTS;
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
}
