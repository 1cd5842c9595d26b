import { testTraining } from '@gauntlet/testing';
import adversarialTraining from './index.js';

testTraining(adversarialTraining, { options: { fresh: true } });
