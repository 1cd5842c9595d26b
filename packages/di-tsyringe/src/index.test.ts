import 'reflect-metadata';
import { defineMetric } from '@gauntlet/core';
import { createLab } from '@gauntlet/core/lab';
import { testBinder } from '@gauntlet/testing';
import { container } from 'tsyringe';
import { tsyringeBinder } from './index.js';

testBinder('a tsyringe container', () => tsyringeBinder());

it('carries a lab on the container of a host application', () => {
  const host = container.createChildContainer();
  const metric = defineMetric({
    id: 'metric/a',
    summary: 'For tests.',
    per: 'epsilon',
    over: (rows) => rows.length,
  });
  const lab = createLab({ binder: tsyringeBinder(host) }).use(metric);
  expect(lab.plugin('metric/a')).toBe(metric);
  expect(host.resolve(Symbol.for('@gauntlet/plugin/metric/a'))).toBe(metric);
});
