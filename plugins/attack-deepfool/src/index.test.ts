import { testAttack } from '@gauntlet/testing';
import deepfool from './index.js';

testAttack(deepfool);
