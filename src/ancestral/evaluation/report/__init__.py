"""The report: one page that shows what an evaluation or a comparison found."""

from ancestral.evaluation.report.entries import ModelEntry, Section
from ancestral.evaluation.report.page import render_report, templates, write_report
from ancestral.evaluation.report.table import key_lines, table_rows

__all__ = [
    "ModelEntry",
    "Section",
    "key_lines",
    "render_report",
    "table_rows",
    "templates",
    "write_report",
]
