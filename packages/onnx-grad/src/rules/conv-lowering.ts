import { attributesOf, type Graph, type NodeProto } from '@gauntlet/onnx';

import type { Site } from '../rule.js';
import type { Phases, Value } from '../value.js';
import { byPhases, imageFromPhases } from './phases.js';
import type { Window } from './window.js';
import { spread } from './window.js';

/** A convolution whose input gradient is wanted. */
export interface Convolution {
  readonly site: Site;
  readonly window: Window;
  readonly group: number;
}

/**
 * The input gradient of a convolution. Convolutions stay in ONNX Runtime's blocked layout, transposed ones do not; so where the weights
 * are constants, the gradient is written as convolutions with the weights mirrored and turned: by the phases of the stride, or directly
 * where the stride is 1. Everything else is a ConvTranspose, also the gradient of images, which would
 * fill a small part of a block of channels, unless what arrives for it is by phases.
 */
export function inputGradient(convolution: Convolution): Value | Phases {
  const { site, window, group } = convolution;
  const { x, lowering, graph, node } = site;
  const isConstant = graph.constantType(node.input[1]!)?.dtype === 'float32';
  const blocked = lowering === 'blocked' && isConstant && x(0).dims.length === 4;
  const found = blocked ? asConvolution(convolution) : undefined;
  return found ?? spread(site, site.g, x(1), window, group, x(0));
}

/**
 * The gradient of a tensor by phases, where the convolution that made it has fewer channels behind it, so that pixels are laid out more cheaply there: one that does to every
 * phase what it does to every pixel, or one of images. Undefined if the gradient is not by phases.
 */
export function phasesFor(site: Site, name: string): Phases | undefined {
  const maker = site.graph.producer(name);
  const narrows = maker !== undefined && (isWidening(site.graph, maker) || isOfImages(site.graph, maker));
  return narrows ? site.phases() : undefined;
}

/** The sizes of the constant float weights of a 2-D convolution of one group; undefined for any other node. */
function weightsOf(graph: Graph, node: NodeProto): readonly number[] | undefined {
  const { opType, domain, input } = node;
  const weights = graph.constantType(input[1] ?? '');
  const one = attributesOf(node).int('group', 1) === 1;
  return opType === 'Conv' &&
    domain === '' &&
    one &&
    weights?.dtype === 'float32' &&
    weights.dims.length === 4
    ? (weights.dims as number[])
    : undefined;
}

/** Whether a node is a convolution by one to more channels than it reads. */
function isWidening(graph: Graph, node: NodeProto): boolean {
  const [filters, channels, ...kernel] = weightsOf(graph, node) ?? [0, 0];
  const attr = attributesOf(node);
  return (
    filters! > channels! &&
    [kernel, attr.ints('strides', [])].every((sizes) => sizes.every((size) => size === 1)) &&
    attr.ints('pads', []).every((size) => size === 0)
  );
}

/** The most channels of what counts as images: with more, a block of channels that is half empty costs less than what a transposed convolution does. */
const IMAGE_CHANNELS = 4;

/** Whether a node is a convolution of images with windows that overlap. */
function isOfImages(graph: Graph, node: NodeProto): boolean {
  const [, channels, ...kernel] = weightsOf(graph, node) ?? [0, Infinity];
  const strides = attributesOf(node).ints('strides', [1, 1]);
  return channels! <= IMAGE_CHANNELS && kernel.some((size, i) => size > strides[i]!);
}

/** The gradient by a convolution with constant weights; undefined where there is none that pays. */
function asConvolution(convolution: Convolution): Value | Phases | undefined {
  const { site, window, group } = convolution;
  const { x, graph, node } = site;
  if (isOfImages(graph, node)) return imageFromPhases(convolution);
  const channels = Number(x(0).dims[1]);
  const depthwise = group > 1 && channels === group;
  if (!(channels > group) && !depthwise) return undefined;
  const arrived = isWidening(graph, node) ? site.phases() : undefined;
  if (arrived !== undefined) return pointwise(site, arrived);
  const phases = byPhases(convolution);
  if (phases !== undefined) return phases;
  return window.strides.every((stride) => stride === 1) ? mirrored(convolution, site.g) : undefined;
}

/**
 * [O, C / G, ...kernel] -> [C, O / G, ...kernel] with the kernel mirrored. ONNX Runtime folds it when it loads the graph, which so holds each weight once.
 */
function turned({ x, ops }: Site, group: number): Value {
  const weights = x(1);
  const [filters, channels, ...kernel] = weights.dims as number[] as [number, number, ...number[]];
  const spatial = kernel.map((_, i) => i + 2);
  const sides = [filters / group, channels] as const;
  const turn =
    group === 1
      ? ops.transpose(weights, [1, 0, ...spatial])
      : ops.reshapeTo(
          ops.transpose(ops.reshapeTo(weights, [group, ...sides, ...kernel]), [
            ...[0, 2, 1],
            ...spatial.map((axis) => axis + 1),
          ]),
          [group * channels, sides[0], ...kernel],
        );
  return spatial.reduce(
    (value, axis, i) => (kernel[i] === 1 ? value : ops.slice(value, axis, -1, -(kernel[i]! + 1), -1)),
    turn,
  );
}

/** The gradient of a convolution by one, phase by phase. */
function pointwise(site: Site, { stride, phases }: Phases): Phases {
  const { x, ops } = site;
  const own = turned(site, 1);
  const passed = phases.map(
    (phase) =>
      phase &&
      ops.emit(
        'Conv',
        [phase, own],
        { kernel_shape: [1, 1] },
        { dtype: phase.dtype, dims: [phase.dims[0]!, own.dims[0]!, ...phase.dims.slice(2)] },
      ),
  );
  return { stride, phases: passed, whole: x(0) };
}

/** Convolution of g with the turned weights at stride 1; undefined where the padding would be negative. */
function mirrored({ site, window, group }: Convolution, g: Value): Value | undefined {
  const { x, ops } = site;
  const { kernel, dilations, begins } = window;
  const reach = kernel.map((size, i) => (size - 1) * dilations[i]!);
  const before = reach.map((length, i) => length - begins[i]!);
  const after = reach.map((length, i) => {
    const [input, output] = [x(0).dims[i + 2]!, g.dims[i + 2]!];
    if (typeof input === 'string' || typeof output === 'string') return length - window.ends[i]!;
    return input - output + length - before[i]!;
  });
  if ([...before, ...after].some((pad) => pad < 0)) return undefined;
  const attributes = { kernel_shape: kernel, dilations, group, pads: [...before, ...after] };
  return ops.emit('Conv', [g, turned(site, group)], attributes, {
    dtype: g.dtype,
    dims: x(0).dims,
  });
}
