import { testAttack } from '@gauntlet/testing';
import cw from './index.js';

testAttack(cw, { options: { maxIterations: 300, learningRate: 0.02 } });
