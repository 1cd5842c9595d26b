import { testUniversal } from '@gauntlet/testing';
import uap from './index.js';

testUniversal(uap);
