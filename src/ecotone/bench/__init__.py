"""Side by side: suites that measure ecotone against peers and against doing nothing."""
