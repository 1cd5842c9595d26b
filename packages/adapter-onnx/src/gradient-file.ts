import { type GradientFile, type GradientFileSettings, type Port, unexpected } from '@gauntlet/core';
import {
  type Dim,
  everyGraph,
  type Graph,
  type ModelProto,
  renameTensors,
  type TensorType,
  writeModel,
  writeValueInfo,
} from '@gauntlet/onnx';
import { differentiate } from '@gauntlet/onnx-grad';
import { EVERYTHING } from './external.js';
import { withLoss } from './gradient.js';
import { legibly } from './legible.js';
import type { OpenOnnxSettings } from './open.js';
import { prepare } from './prepare.js';
import type { Prepared } from './prepared.js';
import { atPath } from './read.js';
import { prepareApart } from './trial.js';

/** How a gradient file is made. */
export type OnnxGradientSettings = GradientFileSettings & Pick<OpenOnnxSettings, 'trial'>;

/**
 * The model with a loss and its gradient as one ONNX file of standard operators. It is written for any machine unless the settings say
 * otherwise: the file may run on other processors than this one.
 *
 * @throws GauntletError for a file that cannot be used, or where an op on the way to the loss has no gradient.
 */
export async function gradientFile(path: string, settings: OnnxGradientSettings): Promise<GradientFile> {
  const { trial, inputs: wanted = [], ...asked } = settings;
  const opening = { ...asked, wanted, keepWeights: settings.wrt === 'weights', inMemory: EVERYTHING };
  const prepared = await (trial === false
    ? prepare(path, opening)
    : prepareApart(path, { ...opening, trial: trial ?? true }));
  if (settings.wrt === 'weights' && prepared.weights.length === 0) throw noWeights(path);
  const file = await legibly((async () => atPath(path, () => write(prepared, settings)))());
  for (const notice of prepared.notices) settings.onNotice?.(notice);
  return file;
}

const noWeights = (path: string) =>
  unexpected({
    found: 'no float initialiser',
    at: path,
    expected: 'weights to differentiate by',
    remedy: 'Use --wrt input, or export the model with its weights as initialisers.',
    code: 'unsupported',
  });

/** A tensor of the graph, the name that it gets in the file, and its type. */
interface Named {
  readonly tensor: string;
  readonly name: string;
  readonly type: TensorType;
}

/** What is differentiated by, and the name that its gradient gets. */
interface Gradient {
  readonly by: string;
  readonly name: string;
}

function write(
  prepared: Prepared,
  { loss, wrt, lowering = 'plain' }: Pick<OnnxGradientSettings, 'loss' | 'wrt' | 'lowering'>,
): GradientFile {
  const { scores, classes, weights } = prepared;
  const { graph, batch, compiled, types } = withLoss(prepared, loss);
  const of = wrt === 'input' ? compiled.loss : graph.node('ReduceMean', [compiled.loss], { keepdims: 0 });
  const wanted = wrt === 'input' ? byInputs(prepared) : weights.map((by) => ({ by, name: `gradient/${by}` }));
  const gradients = differentiate(graph, { of, wrt: wanted.map(({ by }) => by), shapes: types, lowering });
  const floats = (...dims: Dim[]): TensorType => ({ dtype: 'float32', dims });

  const inputs: Named[] = [
    ...prepared.inputs.map(({ name, declared, dtype, dims }) => ({
      tensor: name,
      name: declared,
      type: { dtype, dims },
    })),
    ...[...compiled.classes.values()].map((tensor) => ({
      tensor,
      name: 'labels',
      type: { dtype: 'int64', dims: [batch] } as const,
    })),
  ];
  const found = [
    { tensor: scores, name: 'scores', type: floats(batch, classes) },
    { tensor: compiled.loss, name: 'loss', type: floats(batch) },
    ...wanted.map(({ by, name }) => ({ tensor: gradients.get(by)!, name, type: types.get(by)! })),
  ];
  // One tensor may be the gradient of several weights: every output gets one of its own.
  const outputs = found.map(({ tensor, ...output }) => ({
    ...output,
    tensor: graph.node('Identity', [tensor]),
  }));
  graph.proto.output = outputs.map(({ tensor, type }) => writeValueInfo(tensor, type.dtype, type.dims));
  const ports = name(graph, inputs, outputs);
  importOnlyUsed(graph.model);
  graph.model.producerName = 'gauntlet';
  graph.model.producerVersion = '';
  return { bytes: writeModel(graph.model), ...ports, files: prepared.files };
}

/** One input's gradient is `gradient`. */
function byInputs({ inputs }: Prepared): readonly Gradient[] {
  const wanted = inputs.filter((input) => input.wanted);
  return wanted.map(({ name: by, declared }) => ({
    by,
    name: wanted.length > 1 ? `gradient/${declared}` : 'gradient',
  }));
}

/** Gives inputs and outputs their names; tensors inside that have one of these step aside, outputs before inputs. */
function name(
  graph: Graph,
  inputs: readonly Named[],
  outputs: readonly Named[],
): Pick<GradientFile, 'inputs' | 'outputs'> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const ports = [inputs, outputs].map((group) =>
    group.map(({ tensor, name: wanted, type }): Port => {
      const own = taken.has(wanted) ? graph.unique(wanted) : wanted;
      taken.add(own);
      names.set(tensor, own);
      return { name: own, ...type };
    }),
  );
  for (const own of taken) if (!names.has(own)) names.set(own, graph.unique(own));
  renameTensors(graph.proto, (tensor) => names.get(tensor) ?? tensor);
  return { inputs: ports[0]!, outputs: ports[1]! };
}

/** ONNX Runtime imports every operator set that it knows into the models that it writes. */
function importOnlyUsed(model: ModelProto): void {
  const used = new Set(everyGraph(model.graph!).flatMap(({ node }) => node.map(({ domain }) => domain)));
  model.opsetImport = model.opsetImport.filter(({ domain }) => used.has(domain));
}
