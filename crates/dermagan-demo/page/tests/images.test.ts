// The images of the page are those of the program, on the CPU and on WebGPU, for both generators, and soon there.

import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';

import { decodeApng } from 'fast-png';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { drawn, launch, open, show, tiles } from './browser.ts';
import { type Served, demo, dermagan, difference, folder, model128, sampled } from './program.ts';

const CORES = 2;
const NAMES: Record<string, string> = {
  akiec: 'Actinic keratosis',
  bcc: 'Basal cell carcinoma',
  bkl: 'Benign keratosis',
  df: 'Dermatofibroma',
  mel: 'Melanoma',
  nv: 'Naevus (mole)',
  vasc: 'Vascular lesion',
};
/** The description of an image on the page, by the name of its file. */
function described(file: string): string {
  const [, code, seed] = /^(\w+)-seed0*(\d+)\.png$/.exec(file) ?? [];
  return `Synthetic image, ${NAMES[code ?? '']}, seed ${seed}`;
}

let browser: Browser;
let served: Served;
beforeAll(async () => {
  browser = await launch();
  served = await demo('shipped');
});
afterAll(async () => {
  await browser.close();
  await served.stop();
});

/** Compares the images of a page with those of the program, and returns their number. */
function compare(shown: Map<string, number[]>, expected: ReturnType<typeof sampled>): number {
  let compared = 0;
  for (const [file, { pixels }] of expected) {
    const found = shown.get(described(file));
    if (!found) continue;
    expect(difference(found, pixels), file).toBeLessThanOrEqual(1);
    compared++;
  }
  return compared;
}

test('every diagnosis of several seeds is the image of the program, with truncation too', async () => {
  const { page, faults } = await open(browser, `${served.url}?device=wasm`);
  for (const [seed, truncation] of [['0', '1'], ['1000', '0.6'], ['9007199254740993', '1'], ['18446744073709551600', '0.25']] as const) {
    await show(page, `#view=diagnoses&seed=${seed}&truncation=${truncation}`);
    const last = String(BigInt(seed) + 5n);
    const expected = sampled('shipped', '--class', 'all', '--seeds', `${seed}-${last}`, '--trunc', truncation);
    expect(expected.size).toBe(42);
    expect(compare(await tiles(page), expected)).toBe(42);
  }
  expect(faults).toEqual([]);
  await page.context().close();
});

test('without a chosen diagnosis a seed draws the diagnosis of the program', async () => {
  const { page } = await open(browser, `${served.url}?device=wasm`);
  await drawn(page);
  const shown = [...(await tiles(page)).values()];
  const expected = [...sampled('shipped', '--seeds', '0-20')].sort().map(([, { pixels }]) => pixels);
  expected.forEach((pixels, seed) => expect(difference(shown[seed] ?? [], pixels), `seed ${seed}`).toBeLessThanOrEqual(1));
  await page.context().close();
});

test('a walk has the frames of the program', async () => {
  const out = join(folder(), 'walk.png');
  dermagan('sample', 'shipped', '--device', 'cpu', '--class', 'bkl', '--interpolate', '3,8', '--frames', '48', '--scale', '1', '--out', out);
  const expected = decodeApng(readFileSync(out)).frames;
  const { page, faults } = await open(browser, `${served.url}?device=wasm#view=walk&class=bkl&seed=3&to=8`);
  await page.getByRole('status').filter({ hasText: 'A walk from seed 3 to seed 8: Benign keratosis' }).waitFor({ timeout: 100_000 });
  // Before the test reads the canvas again and again, of which the browser warns.
  expect(faults).toEqual([]);
  for (const at of [0, 7, 24, 47]) {
    await page.getByLabel('Position on the walk').fill(String(at));
    // The program's frame is enlarged as the page enlarges its own.
    const off = await page.evaluate((frame) => {
      const canvas = document.querySelector<HTMLCanvasElement>('.walk canvas');
      const [small, large] = [64, 512].map((side) => new OffscreenCanvas(side, side).getContext('2d'));
      if (!canvas || !small || !large) return Infinity;
      const image = small.createImageData(64, 64);
      for (let i = 0; i < 64 * 64; i++) image.data.set([...frame.slice(3 * i, 3 * i + 3), 255], 4 * i);
      small.putImageData(image, 0, 0);
      large.imageSmoothingQuality = 'high';
      large.drawImage(small.canvas, 0, 0, 512, 512);
      const expected = large.getImageData(0, 0, 512, 512).data;
      const shown = canvas.getContext('2d')?.getImageData(0, 0, 512, 512).data ?? expected;
      return shown.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] ?? 0))), 0);
    }, [...(expected[at]?.data ?? [])]);
    // Enlarging may round once more.
    expect(off, `frame ${at}`).toBeLessThanOrEqual(2);
  }
  await page.context().close();
});

test('the generator of 128x128 images works too', async () => {
  const large = await demo(model128());
  const { page, faults } = await open(browser, `${large.url}?device=wasm&threads=2#view=diagnoses&seed=5`);
  await drawn(page);
  const expected = sampled(model128(), '--class', 'all', '--seeds', '5-10');
  expect(compare(await tiles(page), expected)).toBe(42);
  expect(await page.locator('#facts').textContent()).toContain('2 threads');
  expect(faults).toEqual([]);
  await page.context().close();
  await large.stop();
});

test('WebGPU gives the images of the program', async () => {
  const gpu = await launch(true);
  const began = performance.now();
  const { page, faults } = await open(gpu, `${served.url}?device=webgpu#class=mel`);
  await page.locator('.tile[data-drawn]').first().waitFor({ timeout: 100_000 });
  console.log(`first image with WebGPU on SwiftShader: ${((performance.now() - began) / 1000).toFixed(2)} s`);
  await page.waitForFunction(() => document.querySelectorAll('.tile[data-drawn]').length >= 8, null, { timeout: 100_000 });
  expect(compare(await tiles(page), sampled('shipped', '--class', 'mel', '--seeds', '0-7'))).toBe(8);
  expect(await page.locator('#facts').textContent()).toContain('WebGPU');
  expect(await page.locator('#notes').textContent()).toBe('');
  expect(faults).toEqual([]);
  await gpu.close();
});

test('a device that is emulated on the CPU is not chosen', async () => {
  const gpu = await launch(true);
  const { page } = await open(gpu, `${served.url}#class=mel`);
  await page.locator('#facts').filter({ hasText: 'WebAssembly' }).waitFor({ timeout: 100_000 });
  await gpu.close();
});

// Times depend on what else the machine does, so they are printed and not compared.
test('a screen of images is drawn at once, and how long it takes is printed', async () => {
  const began = performance.now();
  const { page, asked } = await open(browser, `${served.url}?device=wasm#class=nv`, { size: { width: 1440, height: 1200 } });
  await page.locator('.tile[data-drawn]').first().waitFor({ timeout: 100_000 });
  const first = (performance.now() - began) / 1000;
  const from = performance.now();
  // At least 64 images, of which some are there already: so all of them are made anew.
  await show(page, '#class=nv&seed=5000');
  const count = await page.locator('.tile').count();
  expect(count).toBeGreaterThanOrEqual(64);
  expect(await page.locator('.tile[data-drawn]').count()).toBe(count);
  const all = (performance.now() - from) / 1000;
  const bytes = [...asked.values()].reduce((sum, size) => sum + size, 0);
  const load = ((loadavg()[0] ?? 0) / CORES).toFixed(1);
  console.log(`first image ${first.toFixed(2)} s, ${count} images ${all.toFixed(2)} s, ${(bytes / 1e6).toFixed(1)} MB, load per core ${load}`);
  await page.context().close();
});
