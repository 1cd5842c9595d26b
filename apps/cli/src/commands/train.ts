import { rm, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { type Checkpoint, type Epoch, percent, train, type Trained, unexpected } from '@gauntlet/core';
import { readCheckpoint, writeCheckpoint } from '../checkpoint.js';
import { interrupted, untilAborted } from '../interrupt.js';
import { lock } from '../lock.js';
import { mustNotBe } from '../model-file.js';
import { createPlugins } from '../plugins.js';
import { mustExist } from '../files.js';
import { type PreparedTraining, prepareTraining } from '../prepare-training.js';
import type { Terminal } from '../terminal.js';
import type { TrainRequest } from '../train-request.js';

/** Runs `gauntlet train`: checks everything, trains, and writes the hardened model, whole or not at all. */
export async function trainModel(request: TrainRequest, version: string, terminal: Terminal): Promise<void> {
  const to = resolve(terminal.cwd, request.out);
  await mustExist(dirname(to), 'a folder to write to');
  const plugins = createPlugins(terminal.cwd);
  const prepared = await untilAborted(terminal.signal, prepareTraining(request, version, plugins));
  const { task, sources, notices } = prepared;
  try {
    for (const notice of notices) terminal.err(`gauntlet: ${notice}\n`);
    await mustNotBe(to, sources, request.out);
    const unlock = await lock(`${to}.lock`, request.out);
    const trained = await run(prepared, request, to, terminal).finally(unlock);
    terminal.out(summary(prepared, request, trained));
  } finally {
    await task.model.close();
  }
}

async function run(
  { task, plan }: PreparedTraining,
  { out, overwrite }: TrainRequest,
  to: string,
  terminal: Terminal,
): Promise<Trained> {
  const { signal, now, err, interactive } = terminal;
  const path = `${to}.checkpoint`;
  const resume = overwrite ? null : await readCheckpoint(path, plan, out);
  if (resume === null && !overwrite) await mustBeFree(to, out);
  if (resume !== null) err(`gauntlet: goes on from ${out}.checkpoint, ${said(resume)}.\n`);
  const clear = interactive.err ? '\r\x1b[K' : '';
  const io = {
    signal,
    now,
    resume,
    save: (checkpoint: Checkpoint) => writeCheckpoint(path, plan, checkpoint),
    onEpoch: (epoch: Epoch) => err(`${clear}gauntlet: ${line(epoch, task.epochs)}\n`),
    onUpdate: (done: number) => {
      if (interactive.err) err(`${clear}${Math.floor(100 * done)}% of an epoch`);
    },
  };
  const trained = await train(task, io).catch((cause: unknown) => {
    err(clear);
    if (!signal.aborted) throw cause;
    const how = overwrite ? 'the same command without --overwrite' : 'the same command';
    throw interrupted(`${out}.checkpoint holds what was done. Run ${how} to go on.`, cause);
  });
  const { chosen } = trained;
  await task.model.save(to, {
    'gauntlet.defence': task.defence.id,
    'gauntlet.training': plan,
    'gauntlet.held-out': JSON.stringify({ samples: task.heldOut, ...chosen }),
  });
  await rm(path, { force: true });
  return trained;
}

async function mustBeFree(path: string, name: string): Promise<void> {
  const there = await stat(path).then(
    () => true,
    () => false,
  );
  if (!there) return;
  throw unexpected({
    found: 'file that is there',
    at: name,
    expected: 'a new one',
    remedy: 'Name another file with --out, or replace it with --overwrite.',
  });
}

const accuracy = ({ clean, robust }: Epoch) =>
  `clean ${percent(clean)}${robust === null ? '' : `, robust ${percent(robust)}`}`;

const line = (epoch: Epoch, epochs: number) =>
  `${epoch.stage} ${epoch.epoch}/${epochs}: loss ${epoch.loss.toFixed(4)}, ${accuracy(epoch)}`;

const said = ({ epochs, stage, updates }: Checkpoint) =>
  `stage ${stage}, after ${epochs.filter((epoch) => epoch.stage === stage).length} epochs and ${updates} updates`;

function summary(
  { task }: PreparedTraining,
  { model, out }: TrainRequest,
  { chosen, epochs }: Trained,
): string {
  const { defence, threat, heldOut } = task;
  const of = epochs.filter(({ stage }) => stage === chosen.stage).length;
  const against = threat && ` under ${threat.attack.id} in the ${threat.norm} ball of ${threat.epsilon}`;
  return [
    `${basename(model)} after ${defence.id}: epoch ${chosen.epoch} of ${of} was the best.`,
    `On ${heldOut} samples held out: ${accuracy(chosen)}${against ?? ''}.`,
    `File: ${out}`,
    '',
  ].join('\n');
}
