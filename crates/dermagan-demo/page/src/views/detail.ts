// The details of one image, in a dialog.

import type { Engine } from '../engine/engine.ts';
import type { Pixels } from '../engine/messages.ts';
import { png } from '../files/png.ts';
import { type Shot, nameOf, provenance } from '../files/provenance.ts';
import { save } from '../files/save.ts';
import { type Model, classIndex, classOf } from '../manifest.ts';
import { type State, moved } from '../state.ts';
import { make, paintLarge, part } from '../ui/dom.ts';
import { describe } from '../ui/tile.ts';

/** Saves the PNG of an image. */
export function savePng(model: Model, shot: Shot, pixels: Pixels): void {
  save(`${nameOf(model, shot)}.png`, png(pixels, model.side, provenance(model, shot)), 'image/png');
}

/** Shows an image with what is known about it. `pixels` are made if they are not given. */
export async function detail(
  engine: Engine,
  model: Model,
  shot: Shot,
  pixels: Pixels | undefined,
  change: (part: Partial<State>) => void,
): Promise<void> {
  const dialog = part('detail') as HTMLDialogElement;
  const stop = new AbortController();
  const of = classOf(model, shot.seed, shot.chosen);
  const canvas = make('canvas', { class: 'large', role: 'img', 'aria-label': describe(model, shot), width: 512, height: 512 });
  const download = make('button', { type: 'button', class: 'main', disabled: true }, 'Download PNG');
  const move = (by: number) => detail(engine, model, { ...shot, seed: moved(shot.seed, by) }, undefined, change);
  const go = (part: Partial<State>) => {
    dialog.close();
    change(part);
  };
  const fact = (term: string, value: string) => [make('dt', {}, term), make('dd', {}, value)];
  const chosen = classIndex(model, shot.seed, shot.chosen);
  const buttons = [
    download,
    make('button', { type: 'button', id: 'detail-previous', click: () => void move(-1) }, 'Previous seed'),
    make('button', { type: 'button', id: 'detail-next', click: () => void move(1) }, 'Next seed'),
    make('button', { type: 'button', click: () => go({ view: 'walk', chosen, seed: shot.seed, to: moved(shot.seed, 1) }) }, 'Walk from here'),
  ];
  if (model.conditional) {
    buttons.push(make('button', { type: 'button', click: () => go({ view: 'diagnoses', seed: shot.seed }) }, 'All diagnoses of this seed'));
  }
  const focused = dialog.open ? document.activeElement?.id : undefined;
  dialog.replaceChildren(
    make('button', { type: 'button', class: 'close', 'aria-label': 'Close', click: () => dialog.close() }, '×'),
    make(
      'div',
      { class: 'detail' },
      canvas,
      make(
        'div',
        {},
        make('h2', { id: 'detail-title', tabindex: -1, autofocus: true }, of?.name ?? 'Synthetic image'),
        ...(of?.about ? [make('p', {}, of.about)] : []),
        make('p', { class: 'notice' }, 'Synthetic: not a photograph, not for diagnosis.'),
        make(
          'dl',
          {},
          ...fact('Seed', String(shot.seed)),
          ...fact('Variety', String(shot.truncation)),
          ...fact('Size', `${model.side} × ${model.side} pixels`),
          ...(of && of.images > 1 ? fact('Learnt from', `${of.images} photographs of this diagnosis`) : []),
          ...fact('Generator', `${model.sha256.slice(0, 12)}…`),
          ...fact('Licence', model.licence),
        ),
        make('div', { class: 'row' }, ...buttons),
      ),
    ),
  );
  if (!dialog.open) dialog.showModal();
  // The buttons were made anew: the one that was pressed keeps the focus.
  if (focused) document.getElementById(focused)?.focus();
  dialog.addEventListener('close', () => stop.abort(), { once: true });
  const ready = (made: Pixels) => {
    paintLarge(canvas, made, model.side);
    download.disabled = false;
    download.addEventListener('click', () => savePng(model, shot, made));
  };
  if (pixels) ready(pixels);
  else await engine.draw(0, [shot], stop.signal, ready);
}
