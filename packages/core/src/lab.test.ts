import { testBinder } from '@gauntlet/testing';
import { Container } from 'inversify';
import { createLab, inversifyBinder } from './lab.js';
import { defineMetric } from './index.js';

testBinder('an inversify container', () => inversifyBinder());

const metric = (id: string) =>
  defineMetric({ id, summary: 'For tests.', per: 'epsilon', over: (rows) => rows.length });

describe('a lab', () => {
  it('holds plugins by id and kind', () => {
    const [a, b] = [metric('metric/a'), metric('metric/b')];
    const lab = createLab().use(a, b);
    expect(lab.plugin('metric/b')).toBe(b);
    expect(lab.plugin('metric/c')).toBeUndefined();
    expect(lab.plugins('metric')).toEqual([a, b]);
    expect(lab.plugins('evasion')).toEqual([]);
  });

  it('loads a package by name', async () => {
    const plugin = metric('metric/third');
    const lab = createLab({
      load: async (name) => ({ default: name === '@third/metric' ? plugin : undefined }),
    });
    expect(await lab.load('@third/metric')).toBe(plugin);
    expect(await lab.load('@third/metric')).toBe(plugin);
    await expect(lab.load('left-pad')).rejects.toThrow(
      'Unexpected default export that is not a plugin at left-pad',
    );
  });

  it('refuses two owners of one id and names both', async () => {
    const lab = createLab({ load: async () => ({ default: metric('metric/a') }) });
    await lab.load('@one/a');
    await expect(lab.load('@two/a')).rejects.toThrow(
      'Unexpected second owner of metric/a at @two/a, expected only @one/a.',
    );
  });

  it('refuses plugins for other contracts', () => {
    const old = { ...metric('metric/old'), api: 'gauntlet/0' } as never;
    expect(() => createLab().use(old)).toThrow('Unexpected plugin metric/old for the contracts gauntlet/0');
  });

  it("stands on a host application's container", () => {
    const container = new Container();
    const lab = createLab({ binder: inversifyBinder(container) }).use(metric('metric/a'));
    expect(container.get(Symbol.for('@gauntlet/plugin/metric/a'))).toBe(lab.plugin('metric/a'));
  });

  it('gives plugins that cannot be changed', () => {
    expect(() => Object.assign(metric('metric/a'), { id: 'metric/b' })).toThrow(TypeError);
  });
});
