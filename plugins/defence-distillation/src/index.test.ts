import { testTraining } from '@gauntlet/testing';
import distillation from './index.js';

testTraining(distillation);
