#!/usr/bin/env python3
"""Draws the tray's three icons from palette-keys.svg, with the librsvg that GTK brings along.

Run it by hand after the drawing changed: python3 icons/tray.py
"""
import ctypes
from pathlib import Path

HERE = Path(__file__).parent
SIZE = 64  # panels are 16 to 48 pixels high; they scale down

rsvg, cairo = ctypes.CDLL("librsvg-2.so.2"), ctypes.CDLL("libcairo.so.2")
pointer = ctypes.c_void_p
rsvg.rsvg_handle_new_from_data.restype = pointer
rsvg.rsvg_handle_new_from_data.argtypes = [ctypes.c_char_p, ctypes.c_size_t, pointer]
rsvg.rsvg_handle_render_document.argtypes = [pointer, pointer, pointer, pointer]
cairo.cairo_image_surface_create.restype = pointer
cairo.cairo_create.restype = pointer
cairo.cairo_create.argtypes = [pointer]
cairo.cairo_surface_write_to_png.argtypes = [pointer, ctypes.c_char_p]

drawing = (HERE / "palette-keys.svg").read_text()
for state in ("fine", "attention", "unconfirmed"):
    svg = drawing
    for part in (state, f"room-{state}"):
        svg = svg.replace(f'id="{part}" display="none"', f'id="{part}"')
    # The tile fills the icon: a panel has no room for its margin.
    svg = svg.replace('viewBox="0 0 1024 1024"', 'viewBox="40 40 984 984"').encode()
    handle = rsvg.rsvg_handle_new_from_data(svg, len(svg), None)
    surface = cairo.cairo_image_surface_create(0, SIZE, SIZE)
    area = (ctypes.c_double * 4)(0, 0, SIZE, SIZE)
    assert rsvg.rsvg_handle_render_document(handle, cairo.cairo_create(surface), area, None)
    path = HERE / "tray" / f"{state}.png"
    path.parent.mkdir(exist_ok=True)
    assert cairo.cairo_surface_write_to_png(surface, str(path).encode()) == 0
    print(path)
