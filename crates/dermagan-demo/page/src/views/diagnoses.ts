// The same latent through all diagnoses: one row per seed, one column per diagnosis.

import { moved } from '../state.ts';
import { make, say } from '../ui/dom.ts';
import { Tile, moveByArrows, reachFirst } from '../ui/tile.ts';
import type { Context } from './context.ts';

/** The number of seeds. */
export const SEEDS = 6;

export async function diagnoses({ engine, model, state, signal, place, open }: Context): Promise<void> {
  const { seed, truncation } = state;
  const seeds = Array.from({ length: SEEDS }, (_, i) => moved(seed, i));
  const rows = seeds.map((of) => model.classes.map((_, chosen) => new Tile(model, { seed: of, chosen, truncation }, undefined, open)));
  const tiles = rows.flat();
  reachFirst(tiles);
  const head = make(
    'tr',
    {},
    make('th', { scope: 'col' }, 'Seed'),
    ...model.classes.map(({ name }) => make('th', { scope: 'col' }, name)),
  );
  const body = rows.map((row, i) =>
    make('tr', {}, make('th', { scope: 'row' }, String(seeds[i])), ...row.map((tile) => make('td', {}, tile.button))),
  );
  const table = make('table', { class: 'diagnoses' }, make('thead', {}, head), make('tbody', {}, ...body));
  moveByArrows(table);
  place.replaceChildren(make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Seeds by diagnosis' }, table));
  await engine.draw(0, tiles.map((tile) => tile.shot), signal, (pixels, i) => tiles[i]?.show(pixels));
  if (!signal.aborted) say('Each row is one seed: only the diagnosis changes');
}
