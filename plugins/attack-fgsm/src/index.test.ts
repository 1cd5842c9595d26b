import { testAttack } from '@gauntlet/testing';
import fgsm from './index.js';

testAttack(fgsm);
