"""One file per method: records in, a finding out."""
