"""Reads an ID card and prints a greeting, on the emulated terminal that `countertop serve` runs."""

from countertop.client import sync
from countertop.v1.receipt_pb2 import Block, Cut, Paragraph, Receipt, Span

with sync.connect() as counter:
    counter.bench.insert_card()  # a person's hand, on the emulated reader
    person = counter.id_reader().read(timeout=60).document.person
    greeting = Paragraph(spans=[Span(text=f"{person.name}，您好！", bold=True)])
    result = counter.receipt_printer().print(Receipt(blocks=[Block(paragraph=greeting), Block(cut=Cut())]))
    print(f"Greeted {person.name} with {result.blocks} blocks on {result.paper_mm:.0f} mm of paper.")
