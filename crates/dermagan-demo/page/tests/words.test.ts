import { decode } from 'fast-png';
import { expect, test } from 'vitest';

import { png } from '../src/files/png.ts';
import type { Model } from '../src/manifest.ts';
import { hashOf, moved, parseSeed, seedsFrom, stateOf } from '../src/state.ts';
import { interval, verdict } from '../src/views/compare.ts';
import { order } from '../src/views/walk.ts';

const model = { conditional: true, classes: [{ code: 'mel' }, { code: 'nv' }, { code: null }] } as Model;

test('an address keeps what was chosen, and nonsense is the initial state', () => {
  const state = { view: 'walk', chosen: 1, seed: 2n ** 64n - 2n, to: 5n, truncation: 0.35 } as const;
  expect(hashOf(state, model)).toBe('#view=walk&class=nv&seed=18446744073709551614&to=5&truncation=0.35');
  expect(stateOf(hashOf(state, model), model)).toEqual(state);
  const initial = { view: 'images', chosen: null, seed: 0n, to: 1n, truncation: 1 };
  for (const hash of ['', '#', '#view=x&class=y&seed=-1&truncation=7', '#seed=18446744073709551615', '#truncation=a', '#class=']) {
    expect(stateOf(hash, model), hash).toEqual(initial);
  }
  expect(hashOf(stateOf('', model), model)).toBe('#');
});

test('seeds are the whole numbers of the program, after the last of which comes 0', () => {
  expect(parseSeed(' 42 ')).toBe(42n);
  for (const text of ['', '-1', '1.5', '1e3', '0x1', 'a', '18446744073709551615']) expect(parseSeed(text), text).toBeUndefined();
  expect(moved(2n ** 64n - 2n, 1)).toBe(0n);
  expect(moved(0n, -1)).toBe(2n ** 64n - 2n);
  expect(seedsFrom(2n ** 64n - 2n)).toBe(1n);
});

test('a PNG has its pixels and its text, which comes before them', () => {
  const pixels = Uint8ClampedArray.from({ length: 4 * 9 }, (_, i) => (i % 4 === 3 ? 255 : (37 * i) % 256));
  const bytes = png(pixels, 3, [['Software', 'dermagan'], ['Licence', 'für alle']]);
  const decoded = decode(bytes, { checkCrc: true });
  expect([decoded.width, decoded.height, decoded.channels, decoded.depth]).toEqual([3, 3, 3, 8]);
  expect([...decoded.data]).toEqual([...pixels].filter((_, i) => i % 4 !== 3));
  expect(decoded.text.Software).toBe('dermagan');
  const text = Buffer.from(bytes).toString('latin1');
  expect(text.indexOf('tEXt')).toBeLessThan(text.indexOf('IDAT'));
  expect(Buffer.from(bytes).includes(Buffer.from('iTXtLicence\0\0\0\0\0für alle'))).toBe(true);
});

test('a walk makes all of its steps once, its ends first', () => {
  for (const steps of [1, 7, 48]) {
    const all = order(steps);
    expect(all.slice(0, 2)).toEqual([0, steps]);
    expect([...all].sort((a, b) => a - b)).toEqual(Array.from({ length: steps + 1 }, (_, i) => i));
  }
});

test('the result of a comparison has its interval', () => {
  // Wilson's interval of 8 in 10, as in Brown, Cai and DasGupta 2001.
  expect(interval(8, 10)).toEqual([49, 94]);
  expect(interval(0, 20)).toEqual([0, 16]);
  expect(verdict(['a', 'b'], [18, 2], 20)).toContain('18 of 20 decisions: 90 %, 95 % interval 70 to 97 %');
  expect(verdict(['a', 'b'], [18, 2], 20)).not.toContain('too few');
  expect(verdict(['a', 'b'], [9, 8], 20)).toContain('3 without a decision. 20 rounds are too few');
  expect(verdict(['a', 'b'], [0, 0], 20)).toBe('No decision in 20 rounds.');
});
