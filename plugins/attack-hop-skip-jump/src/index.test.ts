import { testAttack } from '@gauntlet/testing';
import hopSkipJump from './index.js';

testAttack(hopSkipJump, { options: { steps: 12, initialEvals: 40 } });
