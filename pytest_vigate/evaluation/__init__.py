"""From a gate and its data to estimates: names bound, data loaded once, weights drawn, intervals taken."""
