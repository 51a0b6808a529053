// SlugRunner
