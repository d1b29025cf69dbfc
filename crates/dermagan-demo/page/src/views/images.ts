// A grid of images that fills the screen, and the next one without end.

import { classOf } from '../manifest.ts';
import { moved } from '../state.ts';
import { make, say } from '../ui/dom.ts';
import { Tile, moveByArrows, reachFirst } from '../ui/tile.ts';
import type { Context } from './context.ts';

/** The smallest side of a tile in CSS pixels, without and with a caption, the gap between tiles, and the height of a caption. */
const TILE = 112;
const CAPTIONED = 120;
const GAP = 6;
const CAPTION = 20;
/** The number of images: at least this many rows, and at most this many images. */
const ROWS = 3;
const MOST = 200;

/** The columns and rows that fill the window below `place`. */
function fit(place: HTMLElement, caption: boolean): { columns: number; rows: number } {
  const width = place.clientWidth;
  const columns = Math.max(3, Math.floor((width + GAP) / ((caption ? CAPTIONED : TILE) + GAP)));
  const tile = (width - (columns - 1) * GAP) / columns + (caption ? CAPTION : 0);
  const height = window.innerHeight - place.getBoundingClientRect().top - window.scrollY - 12;
  const rows = Math.max(ROWS, Math.floor((height + GAP) / (tile + GAP)));
  return { columns, rows: Math.min(rows, Math.max(1, Math.floor(MOST / columns))) };
}

/** The number of images that the window shows. */
export function imagesIn(place: HTMLElement, caption: boolean): number {
  const { columns, rows } = fit(place, caption);
  return columns * rows;
}

export async function images({ engine, model, state, signal, place, open }: Context): Promise<void> {
  const { seed, chosen, truncation } = state;
  const mixed = chosen === null && model.conditional;
  const { columns, rows } = fit(place, mixed);
  const shots = Array.from({ length: columns * rows }, (_, i) => ({ seed: moved(seed, i), chosen, truncation }));
  const tiles = shots.map((shot) => new Tile(model, shot, mixed ? classOf(model, shot.seed, null)?.name : undefined, open));
  reachFirst(tiles);
  const grid = make('div', { class: 'grid', role: 'group', 'aria-label': 'Synthetic images' }, ...tiles.map((tile) => tile.button));
  grid.style.setProperty('--columns', String(columns));
  moveByArrows(grid);
  place.replaceChildren(grid);
  await engine.draw(0, shots, signal, (pixels, i) => tiles[i]?.show(pixels));
  if (signal.aborted) return;
  const name = chosen === null ? 'all diagnoses' : model.classes[chosen]?.name;
  say(`${shots.length} synthetic images${model.conditional ? ` of ${name}` : ''}, seeds ${seed} to ${moved(seed, shots.length - 1)}`);
}
