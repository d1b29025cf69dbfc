// What a user does: with the mouse, the keyboard and a phone, and what goes wrong.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { unzipSync } from 'fflate';
import type { Browser, Download, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { DESKTOP, PHONE, barriers, drawn, launch, open, picture as shoot, show } from './browser.ts';
import { host } from './host.ts';
import { type Served, demo, dermagan, difference, folder, model128, picture, sampled } from './program.ts';

let browser: Browser;
let served: Served;
beforeAll(async () => {
  browser = await launch();
  served = await demo('shipped', '--against', model128());
});
afterAll(async () => {
  await browser.close();
  await served.stop();
});

const start = (how = {}, hash = '') => open(browser, `${served.url}?device=wasm${hash}`, how);

async function bytesOf(page: Page, click: () => Promise<void>): Promise<[string, Uint8Array]> {
  const [download]: [Download, void] = await Promise.all([page.waitForEvent('download', { timeout: 100_000 }), click()]);
  return [download.suggestedFilename(), readFileSync(await download.path())];
}

test('a downloaded image has the pixels and the text of the program', async () => {
  const { page, faults } = await start({}, '#class=df&seed=12&truncation=0.7');
  await drawn(page);
  await page.locator('.tile').first().click();
  const [name, bytes] = await bytesOf(page, () => page.getByRole('button', { name: 'Download PNG' }).click());
  const expected = sampled('shipped', '--class', 'df', '--seeds', '12', '--trunc', '0.7').get(name);
  expect(name).toBe('df-seed0012.png');
  const found = picture(bytes);
  expect(found.text).toEqual(expected?.text);
  expect(found.text.Description).toContain('not for diagnosis');
  expect(difference(found.pixels, expected?.pixels ?? [])).toBeLessThanOrEqual(1);
  expect(faults).toEqual([]);
  await page.context().close();
});

test('the program takes a downloaded set for one of its own', async () => {
  for (const [hash, line] of [
    ['#class=vasc&seed=40', ['--class', 'vasc', '--seeds', '40-49']],
    ['#seed=7&truncation=0.5', ['--seeds', '7-16', '--trunc', '0.5']],
  ] as const) {
    const { page, faults } = await start({}, hash);
    await drawn(page);
    await page.getByRole('button', { name: 'Download a set' }).click();
    await page.getByLabel('Number of images').fill('10');
    const [name, bytes] = await bytesOf(page, () => page.getByRole('button', { name: 'Download ZIP' }).click());
    expect(name).toMatch(/^dermagan-(vasc|images)-seed\d+-10\.zip$/);
    const [ours, own] = [join(folder(), 'set'), join(folder(), 'set')];
    mkdirSync(ours);
    for (const [file, data] of Object.entries(unzipSync(bytes))) writeFileSync(join(ours, file), data);
    dermagan('sample', 'shipped', '--device', 'cpu', '--out', own, ...line);
    expect(readdirSync(ours).sort()).toEqual(readdirSync(own).sort());
    const read = (at: string, file: string) => readFileSync(join(at, file), 'utf8');
    expect(read(ours, 'metadata.csv')).toBe(read(own, 'metadata.csv'));
    expect(JSON.parse(read(ours, 'passport.json'))).toEqual(JSON.parse(read(own, 'passport.json')));
    const again = dermagan('sample', 'shipped', '--device', 'cpu', '--out', ours, ...line);
    expect(again).toContain('10 of them were there already');
    expect(faults).toEqual([]);
    await page.context().close();
  }
});

test('the controls lead on and back, and the address keeps what was chosen', async () => {
  const { page, faults } = await start();
  await drawn(page);
  const seed = page.getByLabel('Seed', { exact: true });
  const count = await page.locator('.tile').count();
  await page.getByRole('button', { name: 'Next' }).click();
  await drawn(page);
  expect(await seed.inputValue()).toBe(String(count));
  await page.getByRole('radio', { name: 'Melanoma' }).check();
  await page.waitForFunction(() => document.querySelector('#status')?.textContent?.includes('of Melanoma'), null, { timeout: 100_000 });
  expect(page.url()).toContain('class=mel');
  await page.getByRole('button', { name: 'Previous' }).click();
  expect(await seed.inputValue()).toBe('0');
  expect(await page.getByRole('button', { name: 'Previous' }).isDisabled()).toBe(true);
  // What was typed counts, also if the next click comes before the browser has noticed.
  await seed.fill('1000');
  await page.getByRole('button', { name: 'Next' }).click();
  const shown = await page.locator('.tile').count();
  expect(await seed.inputValue()).toBe(String(1000 + shown));
  await page.getByLabel('Variety').fill('0.4');
  await page.waitForURL(/truncation=0.4/);
  await page.reload();
  await drawn(page);
  expect(await page.getByLabel('Variety').inputValue()).toBe('0.4');
  expect(await page.getByRole('radio', { name: 'Melanoma' }).isChecked()).toBe(true);
  await seed.fill('nonsense');
  await seed.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'whole number' }).waitFor();
  await page.getByRole('button', { name: 'Random' }).click();
  await drawn(page);
  expect(await page.locator('#seed-error').textContent()).toBe('');
  await page.goBack();
  expect(await seed.inputValue()).toBe(String(1000 + shown));
  await page.evaluate(() => (location.hash = '#class=MEL&seed=-5&truncation='));
  await page.getByRole('alert').filter({ hasText: 'Of the address seed=-5, truncation= was not used' }).waitFor();
  expect(page.url()).toMatch(/#class=mel$/);
  expect(faults).toEqual([]);
  await page.context().close();
});

test('everything can be reached by the keyboard', async () => {
  const { page, faults } = await start();
  await drawn(page);
  const label = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('view');
  await page.keyboard.press('Tab');
  expect(await label()).toMatch(/seed 0$/);
  await page.keyboard.press('ArrowRight');
  expect(await label()).toMatch(/seed 1$/);
  await page.keyboard.press('ArrowDown');
  const columns = await page.evaluate(() => Number(document.querySelector<HTMLElement>('.grid')?.style.getPropertyValue('--columns')));
  expect(await label()).toMatch(new RegExp(`seed ${columns + 1}$`));
  await page.keyboard.press('Home');
  expect(await label()).toMatch(/seed 0$/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  expect(await label()).toMatch(/seed 0$/);
  // In a table too.
  await show(page, '#view=diagnoses');
  await page.locator('.tile').first().focus();
  await page.keyboard.press('ArrowDown');
  expect(await label()).toMatch(/seed 1$/);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Next seed' }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await page.locator('dd').getByText('2', { exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Walk' }).focus();
  await page.keyboard.press('Enter');
  const position = page.getByLabel('Position on the walk');
  await position.focus();
  await page.keyboard.press('ArrowRight');
  expect(await position.getAttribute('aria-valuetext')).toBe('2 % of the way');
  await page.getByRole('button', { name: 'Play' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => Number(document.querySelector<HTMLInputElement>('#position')?.value) > 5);
  await page.keyboard.press('Enter');
  expect(await page.getByRole('button', { name: 'Play' }).isVisible()).toBe(true);
  expect(faults).toEqual([]);
  await page.context().close();
});

test('a comparison counts which generator was chosen', async () => {
  const { page, faults } = await start({}, '#view=compare&class=mel');
  const round = (number: number) => page.getByRole('status').filter({ hasText: `Round ${number} of 20` }).waitFor({ timeout: 100_000 });
  for (let number = 1; number <= 20; number++) {
    await round(number);
    if (number === 1) expect(await page.locator('.compare p').textContent()).toContain('Melanoma.');
    const choice = number % 4 === 0 ? 'No difference' : number % 2 ? 'Left image' : 'Right image';
    await page.getByRole('button', { name: choice }).click();
  }
  await page.getByRole('heading', { name: 'Result' }).waitFor();
  const words = (await page.locator('.compare p').textContent()) ?? '';
  expect(words).toMatch(/Generator A \(64×64 pixels, preset rare, 400 kimg\) was chosen in \d+ of 15 decisions: \d+ %, 95 % interval \d+ to \d+ %/);
  expect(words).toMatch(/Generator B \(128×128 pixels.*\) was chosen in \d+\./);
  expect(words).toContain('5 without a decision');
  expect(faults).toEqual([]);
  await page.context().close();
});

const SCREENS = [
  ['desktop', DESKTOP, false],
  ['desktop', DESKTOP, true],
  ['phone', PHONE, false],
  ['phone', PHONE, true],
  ['narrow', { width: 320, height: 640 }, false],
] as const;

test.each(SCREENS)('no view has a serious barrier or is wider than the screen: %s, %o, dark: %s', async (kind, size, dark) => {
  const { page, faults } = await start({ size, dark });
  const look = async (name: string) => {
    expect(await barriers(page), `${kind}, ${name}`).toEqual([]);
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(content, `the width of ${name} at ${kind}`).toBeLessThanOrEqual(window ?? 0);
    await shoot(page, `${kind}${dark ? '-dark' : ''}-${name}`);
  };
  await drawn(page);
  await look('images');
  await page.locator('.tile').nth(2).click();
  await page.getByRole('button', { name: 'Download PNG' }).and(page.locator(':enabled')).waitFor();
  await look('detail');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Download a set' }).click();
  await look('download');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await show(page, '#view=diagnoses');
  await look('diagnoses');
  await page.evaluate(() => (location.hash = '#view=walk&seed=2&to=9'));
  await page.getByRole('status').filter({ hasText: 'A walk from seed 2' }).waitFor({ timeout: 100_000 });
  await page.getByLabel('Position on the walk').fill('24');
  await look('walk');
  await page.evaluate(() => (location.hash = '#view=compare'));
  await page.getByRole('button', { name: 'Left image' }).waitFor({ timeout: 100_000 });
  await look('compare');
  expect(faults).toEqual([]);
  await page.context().close();
});

test('the folder works on a static host that does not isolate pages', async () => {
  const out = join(folder(), 'page');
  dermagan('demo', 'shipped', '--out', out);
  const { url, close } = await host(out);
  const { page, faults, asked } = await open(browser, `${url}?threads=4#class=bcc`);
  await drawn(page);
  expect(await page.locator('#facts').textContent()).toContain('1 thread');
  expect(await page.locator('#views a').allTextContents()).toEqual(['Images', 'Diagnoses', 'Walk']);
  expect([...asked.keys()].some((address) => address.includes('webgpu'))).toBe(false);
  expect(faults).toEqual([]);
  // The page's own policy forbids to ask another server, whatever the host sends.
  const sent = await page.evaluate(() => fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused'));
  expect(sent).toBe('refused');
  expect(faults.some((fault) => fault.includes('Content Security Policy'))).toBe(true);
  close();
  await page.context().close();
});

test('a device that computes wrong images, and a folder that is not complete, are told', async () => {
  const out = join(folder(), 'page');
  dermagan('demo', 'shipped', '--out', out);
  const wrong = await host(out, (name, bytes) => (name === 'check-1.rgb' ? Buffer.alloc(bytes.length, 200) : bytes));
  const first = await open(browser, wrong.url);
  await first.page.getByRole('alert').filter({ hasText: 'wrong images: they differ' }).waitFor({ timeout: 100_000 });
  expect(await first.page.locator('.tile').count()).toBe(0);
  await first.page.context().close();
  wrong.close();
  // One bit of a weight: the check image would hardly differ.
  const changed = await host(out, (name, bytes) => {
    if (name === 'generator-1.onnx') bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    return bytes;
  });
  const other = await open(browser, changed.url);
  await other.page.getByRole('alert').filter({ hasText: 'its SHA-256 differs' }).waitFor({ timeout: 100_000 });
  await other.page.context().close();
  changed.close();
  for (const missing of ['demo.json', 'generator-1.onnx', 'runtime/ort.wasm.min.mjs', 'worker.js']) {
    const partial = await host(out, (name, bytes) => (name === missing ? undefined : bytes));
    const { page } = await open(browser, partial.url);
    await page.getByRole('alert').filter({ hasText: 'No images can be made' }).waitFor({ timeout: 100_000 });
    await page.context().close();
    partial.close();
  }
});

test('the server answers this machine in its own name only', async () => {
  const ask = (...line: string[]) => execFileSync('curl', ['--silent', '--include', ...line], { encoding: 'utf8' });
  const head = ask('--head', served.url);
  for (const words of ["default-src 'none'", 'Cross-Origin-Opener-Policy: same-origin', 'Cross-Origin-Embedder-Policy: require-corp', 'nosniff']) {
    expect(head).toContain(words);
  }
  expect(head).not.toContain('Access-Control');
  expect(ask('--header', 'Host: evil.example', served.url)).toContain('421');
  expect(ask('--request', 'POST', served.url)).toContain('405');
  expect(ask('--path-as-is', `${served.url}../../etc/passwd`)).toContain('404');
  expect(ask(`${served.url}runtime/`)).toContain('404');
});
