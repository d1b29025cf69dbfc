// What a file says about its image: the same text and the same name as in a file of the program
// (`dermagan-generate/src/provenance.rs` and `files.rs`).

import { inWords, orientationOf } from '../draw/orientation.ts';
import { type Model, classOf } from '../manifest.ts';

/** One image of a generator. */
export interface Shot {
  seed: bigint;
  /** The index of the class that was asked for; `null` if the seed draws it. */
  chosen: number | null;
  truncation: number;
}

/** The (keyword, value) pairs of an image file. */
export function provenance(model: Model, { seed, chosen, truncation }: Shot): [string, string][] {
  const text: [string, string][] = [...model.text, ['dermagan:seed', String(seed)], ['dermagan:psi', String(truncation)]];
  const code = classOf(model, seed, chosen)?.code;
  if (code) text.push(['dermagan:class', code]);
  const orientation = inWords(orientationOf(seed, model.turns));
  if (orientation) text.push(['dermagan:orientation', orientation]);
  return text;
}

/** The code of an image's diagnosis, or `unknown`. */
export const codeOf = (model: Model, { seed, chosen }: Shot) => classOf(model, seed, chosen)?.code ?? 'unknown';

/** The name of an image's file without its ending. */
export function nameOf(model: Model, shot: Shot): string {
  const seed = `seed${String(shot.seed).padStart(4, '0')}`;
  return shot.chosen === null ? seed : `${codeOf(model, shot)}-${seed}`;
}
