import { testAttack } from '@gauntlet/testing';
import apgd, { checkpoints } from './index.js';

testAttack(apgd);
testAttack(apgd, { options: { loss: 'dlr' } });

it('judges step sizes at the checkpoints of the paper', () => {
  expect(checkpoints(100)).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
  expect(checkpoints(1000)).toEqual([220, 410, 570, 700, 800, 870, 930, 990]);
  expect(checkpoints(10)).toEqual([3, 5, 6, 7, 8, 9, 10, 10]);
});
