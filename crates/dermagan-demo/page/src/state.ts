// What the user chose. It is part of the address, so that a link or a reload shows the same images.

import type { Model } from './manifest.ts';

export const VIEWS = ['images', 'diagnoses', 'walk', 'compare'] as const;
export type View = (typeof VIEWS)[number];

export interface State {
  view: View;
  /** The index of the chosen diagnosis; `null`: each seed draws its own. */
  chosen: number | null;
  /** The first seed, or the beginning of the walk. */
  seed: bigint;
  /** The end of the walk. */
  to: bigint;
  truncation: number;
}

export const INITIAL: State = { view: 'images', chosen: null, seed: 0n, to: 1n, truncation: 1 };

/** The number of seeds. The program takes all numbers of 64 bits but the last one. */
const SEEDS = 2n ** 64n - 1n;

/** A seed from what a user typed; `undefined` if it is none. */
export function parseSeed(text: string): bigint | undefined {
  if (!/^\d{1,20}$/.test(text.trim())) return undefined;
  const seed = BigInt(text.trim());
  return seed < SEEDS ? seed : undefined;
}

/** A seed `by` further. After the last seed comes 0. */
export const moved = (seed: bigint, by: number) => (((seed + BigInt(by)) % SEEDS) + SEEDS) % SEEDS;

/** The number of seeds from this one to the last. */
export const seedsFrom = (seed: bigint) => SEEDS - seed;

/** A random seed that is short enough to be read out. */
export function randomSeed(): bigint {
  return BigInt((crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % 1_000_000);
}

/** The state in an address. What is missing or wrong has its initial value. */
export function stateOf(hash: string, model: Model): State {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const seed = (key: string, otherwise: bigint) => parseSeed(given.get(key) ?? '') ?? otherwise;
  const code = given.get('class')?.toLowerCase();
  const view = VIEWS.find((name) => name === given.get('view')) ?? INITIAL.view;
  const index = code === undefined ? -1 : model.classes.findIndex((of) => of.code?.toLowerCase() === code);
  const truncation = Number(given.get('truncation') || '1');
  return {
    view,
    chosen: model.conditional && index >= 0 ? index : null,
    seed: seed('seed', INITIAL.seed),
    to: seed('to', INITIAL.to),
    truncation: truncation >= 0 && truncation <= 1 ? truncation : 1,
  };
}

/** The parts of an address that say nothing which the page knows, such as `seed=-5`. */
export function ignored(hash: string, model: Model): string[] {
  const state = stateOf(hash, model);
  const kept: Record<string, boolean> = {};
  const given = [...new URLSearchParams(hash.replace(/^#/, ''))];
  for (const [key, value] of given) {
    const code = state.chosen === null ? 'all' : model.classes[state.chosen]?.code;
    kept[`${key}=${value}`] =
      (key === 'view' && value === state.view) ||
      (key === 'class' && value.toLowerCase() === code?.toLowerCase()) ||
      ((key === 'seed' || key === 'to') && parseSeed(value) !== undefined) ||
      (key === 'truncation' && value !== '' && Number(value) === state.truncation);
  }
  return Object.keys(kept).filter((part) => !kept[part]);
}

/** The address of a state, without what has its initial value. */
export function hashOf(state: State, model: Model): string {
  const given = new URLSearchParams();
  if (state.view !== INITIAL.view) given.set('view', state.view);
  const code = state.chosen === null ? null : model.classes[state.chosen]?.code;
  if (code) given.set('class', code);
  if (state.seed !== INITIAL.seed) given.set('seed', String(state.seed));
  if (state.to !== INITIAL.to) given.set('to', String(state.to));
  if (state.truncation !== 1) given.set('truncation', String(state.truncation));
  return `#${given}`;
}
