import { testAttack } from '@gauntlet/testing';
import pgd from './index.js';

testAttack(pgd);
