import { create, Graph, GraphProtoSchema, renameTensors, writeAttribute, writeValueInfo } from './index.js';

test('names may be exchanged, in subgraphs too', () => {
  const graph = Graph.empty(18);
  graph.input('a', 'float32', [1]);
  graph.nodes('Exp', ['a'], 1, {}, { outputs: ['b'] });
  const weight = graph.scalar('float32', 1);
  const branch = new Graph({ ...graph.model, graph: create(GraphProtoSchema, { name: 'branch' }) });
  branch.nodes('Add', ['a', 'b'], 1, {}, { outputs: ['c'] });
  branch.output('c', 'float32');
  graph.nodes('If', [weight], 1, {}, { outputs: ['d'] });
  graph.proto.node[1]!.attribute = [{ ...writeAttribute('then_branch', 1), g: branch.proto }];
  graph.proto.valueInfo.push(writeValueInfo('b', 'float32', [1]));
  graph.output('d', 'float32', [1]);

  const names = new Map([
    ['a', 'b'],
    ['b', 'a'],
    ['c', 'inner'],
    ['d', 'out'],
    [weight, 'w'],
  ]);
  renameTensors(graph.proto, (name) => names.get(name) ?? name);
  const { input, node, initializer, valueInfo, output } = graph.proto;
  expect(node.map((each) => [...each.input, ...each.output])).toEqual([
    ['b', 'a'],
    ['w', 'out'],
  ]);
  expect(branch.proto.node.map((each) => [...each.input, ...each.output])).toEqual([['b', 'a', 'inner']]);
  expect([input, initializer, valueInfo, output, branch.proto.output].map(([first]) => first!.name)).toEqual([
    'b',
    'w',
    'a',
    'out',
    'inner',
  ]);
});
