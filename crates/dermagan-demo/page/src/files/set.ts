// A set of images as one ZIP: the files that `dermagan sample --out FOLDER` writes, with HAM10000's table and the passport.

import { zipSync, type Zippable } from 'fflate';

import type { Model } from '../manifest.ts';
import { type Shot, codeOf, nameOf } from './provenance.ts';

const COLUMNS = ['lesion_id', 'image_id', 'dx', 'dx_type', 'age', 'sex', 'localization'];
/** The time of every file, so that equal sets have equal bytes. It is the earliest that a ZIP can hold. */
const TIME = new Date(1980, 0, 1);

/** The table of a set. */
export function table(model: Model, shots: Shot[]): string {
  const row = (shot: Shot) => {
    const name = nameOf(model, shot);
    return [`SYN_${model.sha256.slice(0, 8)}_${name}`, name, codeOf(model, shot), 'synthetic', '', 'unknown', 'unknown'];
  };
  return [COLUMNS, ...shots.map(row)].map((cells) => `${cells.join(',')}\n`).join('');
}

/** The passport of a set of consecutive seeds. */
export function passport(model: Model, shots: Shot[]): string {
  const classes: Record<string, number> = {};
  for (const shot of shots) classes[codeOf(model, shot)] = (classes[codeOf(model, shot)] ?? 0) + 1;
  const [first, last] = [shots[0], shots.at(-1)];
  const seeds = first && last ? [`${first.seed}-${last.seed}`] : [];
  return `${JSON.stringify({ ...model.passport, seeds, truncation: first?.truncation ?? 1, classes }, null, 2)}\n`;
}

/** The ZIP of a set. `files`: the PNG of each shot, in their order. */
export function archive(model: Model, shots: Shot[], files: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  const entries: Zippable = {};
  shots.forEach((shot, i) => (entries[`${nameOf(model, shot)}.png`] = [files[i] ?? new Uint8Array(), { level: 0 }]));
  entries['passport.json'] = text.encode(passport(model, shots));
  entries['metadata.csv'] = text.encode(table(model, shots));
  return zipSync(entries, { mtime: TIME }) as Uint8Array<ArrayBuffer>;
}
