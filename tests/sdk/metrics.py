"""Reads metrics as Prometheus does: the reader for OpenMetrics of prometheus_client, which rejects what
is not as the standard has it. Standard input is the text; standard output is a JSON array of families.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = text_string_to_metric_families(sys.stdin.buffer.read().decode())
json.dump(
    [
        {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "help": family.documentation,
            "samples": [[sample.name, sample.labels, float(sample.value)] for sample in family.samples],
        }
        for family in families
    ],
    sys.stdout,
)
