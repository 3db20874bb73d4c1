"""Templates are no tests of ours: they are tested as the projects that are made of them."""

collect_ignore_glob = ["*"]
