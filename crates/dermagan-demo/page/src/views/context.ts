// What every view needs.

import type { Engine } from '../engine/engine.ts';
import type { Pixels } from '../engine/messages.ts';
import type { Shot } from '../files/provenance.ts';
import type { Model } from '../manifest.ts';
import type { State } from '../state.ts';

export interface Context {
  engine: Engine;
  /** The first generator. */
  model: Model;
  state: State;
  /** Ends when the view is replaced by the next one. */
  signal: AbortSignal;
  /** Where the view goes. */
  place: HTMLElement;
  /** Changes what the user chose. */
  change: (part: Partial<State>) => void;
  /** Opens the details of an image. */
  open: (shot: Shot, pixels: Pixels | undefined) => void;
}

/** A view draws itself into its place. */
export type Draw = (context: Context) => Promise<void>;
