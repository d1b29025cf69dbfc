// The download of a set of images as a ZIP.

import type { Engine } from '../engine/engine.ts';
import { png } from '../files/png.ts';
import { provenance } from '../files/provenance.ts';
import { save } from '../files/save.ts';
import { archive } from '../files/set.ts';
import type { Model } from '../manifest.ts';
import { type State, moved, seedsFrom } from '../state.ts';
import { make, part, say } from '../ui/dom.ts';

/** The largest number of images of a set, all of which are in memory at once. */
const MOST = 2000;

/** Opens the dialog of a download. */
export function download(engine: Engine, model: Model, state: State, suggested: number): void {
  const dialog = part('download') as HTMLDialogElement;
  const stop = new AbortController();
  const { seed, chosen, truncation } = state;
  const of = chosen === null ? undefined : model.classes[chosen];
  // A set ends at the largest seed, and not after 0.
  const left = seedsFrom(seed);
  const most = left < BigInt(MOST) ? Number(left) : MOST;
  const number = make('input', { id: 'number', type: 'number', min: 1, max: most, value: Math.min(suggested, most), required: true });
  const bar = make('progress', { max: 1, value: 0, hidden: true, 'aria-label': 'Images made' });
  const start = make('button', { type: 'submit', class: 'main' }, 'Download ZIP');
  const cancel = make('button', { type: 'button', click: () => dialog.close() }, 'Cancel');
  const form = make(
    'form',
    { method: 'dialog' },
    make('h2', { id: 'download-title' }, 'Download a set'),
    make('p', {}, `${of?.name ?? (model.conditional ? 'All diagnoses, as often as in training' : 'Images')}, from seed ${seed}, variety ${truncation}. PNG files with their origin, and a metadata.csv in the columns of HAM10000.`),
    make('p', { class: 'notice' }, `Synthetic: not for diagnosis, not for validation or test sets. ${model.licence}.`),
    make('span', { class: 'field' }, make('label', { for: 'number' }, `Number of images (1 to ${most})`), number),
    bar,
    make('div', { class: 'row' }, start, cancel),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const count = Math.min(most, Math.max(1, Math.round(Number(number.value)) || 1));
    const shots = Array.from({ length: count }, (_, i) => ({ seed: moved(seed, i), chosen, truncation }));
    const files: Uint8Array[] = [];
    start.disabled = true;
    number.disabled = true;
    cancel.focus();
    bar.hidden = false;
    const give = (pixels: Uint8ClampedArray, i: number) => {
      const shot = shots[i];
      if (shot) files[i] = png(pixels, model.side, provenance(model, shot));
      bar.value = (i + 1) / shots.length;
    };
    engine
      .draw(0, shots, stop.signal, give)
      .then(() => {
        if (stop.signal.aborted) return;
        const name = `dermagan-${of?.code ?? 'images'}-seed${seed}-${shots.length}.zip`;
        save(name, archive(model, shots, files), 'application/zip');
        dialog.close();
        say(`${shots.length} synthetic images in ${name}`);
      })
      .catch((error: unknown) => {
        dialog.close();
        say(`The set was not made: ${error instanceof Error ? error.message : String(error)}`);
      });
  });
  dialog.replaceChildren(form);
  dialog.addEventListener('close', () => stop.abort(), { once: true });
  dialog.showModal();
}
