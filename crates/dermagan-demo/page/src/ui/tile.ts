// An image in a grid: a button that opens its details.

import type { Pixels } from '../engine/messages.ts';
import type { Shot } from '../files/provenance.ts';
import { type Model, classOf } from '../manifest.ts';
import { make, paint } from './dom.ts';

/** An image in words. */
export function describe(model: Model, shot: Shot): string {
  const name = classOf(model, shot.seed, shot.chosen)?.name;
  return `Synthetic image${name ? `, ${name}` : ''}, seed ${shot.seed}`;
}

export class Tile {
  readonly button: HTMLButtonElement;
  readonly #canvas: HTMLCanvasElement;

  constructor(
    private readonly model: Model,
    readonly shot: Shot,
    caption: string | undefined,
    open: (shot: Shot, pixels: Pixels | undefined) => void,
  ) {
    this.#canvas = make('canvas', { width: model.side, height: model.side });
    this.button = make(
      'button',
      { type: 'button', class: 'tile', 'aria-label': describe(model, shot), click: () => open(shot, this.pixels) },
      this.#canvas,
      ...(caption === undefined ? [] : [make('span', { 'aria-hidden': 'true' }, caption)]),
    );
  }

  pixels: Pixels | undefined;

  show(pixels: Pixels): void {
    this.pixels = pixels;
    paint(this.#canvas, pixels, this.model.side);
    this.button.dataset.drawn = '';
  }
}

/** Lets the arrow keys move between the tiles of a grid, of which one at a time is reached by the Tab key. */
export function moveByArrows(grid: HTMLElement): void {
  const tiles = () => [...grid.querySelectorAll<HTMLButtonElement>('.tile')];
  const columns = () => {
    // In a table the columns differ by parts of a pixel, and with them the heights of the tiles.
    const places = tiles().map((tile) => tile.getBoundingClientRect());
    return places.filter(({ top }) => top < (places[0]?.bottom ?? 0)).length;
  };
  grid.addEventListener('focusin', ({ target }) => {
    for (const tile of tiles()) tile.tabIndex = tile === target ? 0 : -1;
  });
  grid.addEventListener('keydown', (event) => {
    const all = tiles();
    const at = all.indexOf(event.target as HTMLButtonElement);
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() };
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? all.length - 1 : at + (steps[event.key] ?? NaN);
    const next = all[to];
    if (at < 0 || !next) return;
    event.preventDefault();
    next.focus();
  });
}

/** Makes the first tile the one that the Tab key reaches. */
export function reachFirst(tiles: Tile[]): void {
  tiles.forEach(({ button }, i) => (button.tabIndex = i === 0 ? 0 : -1));
}
