# SPDX-License-Identifier: Apache-2.0
import array
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.perception.cropping import crop_from_box
from thermal_fld_ros.perception.decoding import (
    ENCODINGS,
    UNITS,
    Decoding,
    ImageError,
    ThermalFrame,
    Unit,
    decode,
    decode_array,
)
from thermal_fld_ros.perception.geometry import Affine

GREY = {"mono8": np.uint8, "8UC1": np.uint8, "mono16": np.uint16, "16UC1": np.uint16, "32FC1": np.float32}
SIGNED = {"8SC1": np.int8, "16SC1": np.int16, "32SC1": np.int32, "64FC1": np.float64}
COLOUR = {"rgb8": 3, "bgr8": 3, "8UC3": 3, "rgba8": 4, "bgra8": 4, "8UC4": 4}
YUV = {"yuv422": 1, "uyvy": 1, "yuv422_yuy2": 0, "yuyv": 0}  # place of the luma in a pair of bytes

sizes = st.tuples(st.integers(1, 40), st.integers(1, 30))
containers = st.sampled_from(
    [bytes, bytearray, memoryview, lambda b: array.array("B", b), lambda b: np.frombuffer(b, np.uint8)]
)


def noise(size: tuple[int, int], dtype: Any, channels: int = 1, seed: int = 0) -> np.ndarray:
    shape = (size[1], size[0]) if channels == 1 else (size[1], size[0], channels)
    values = np.random.default_rng(seed).integers(0, 2 ** (8 * min(np.dtype(dtype).itemsize, 2)), shape)
    return values.astype(dtype)


def message(pixels: np.ndarray, encoding: str, padding: int = 0, big: bool = False) -> dict[str, Any]:
    """The fields of an image message with `padding` bytes of rubbish behind each row."""
    rows = [(row.astype(row.dtype.newbyteorder(">" if big else "<"))).tobytes() + b"\xa5" * padding for row in pixels]
    return {
        "data": b"".join(rows),
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": encoding,
        "step": len(rows[0]),
        "is_bigendian": big,
    }


def whole(frame: ThermalFrame) -> np.ndarray:
    """The upright image, as a network would fetch it."""
    return frame.sample(Affine.identity(), frame.upright_size)


def test_every_supported_encoding_is_tested() -> None:
    assert set(ENCODINGS) == {*GREY, *SIGNED, *COLOUR, *YUV}


@given(st.sampled_from(sorted(GREY)), sizes, st.integers(0, 9), st.booleans(), containers)
def test_grey_comes_out_as_it_went_in(encoding, size, padding, big, container) -> None:
    pixels = noise(size, GREY[encoding])
    fields = message(pixels, encoding, padding, big)
    fields["data"] = container(fields["data"])
    frame = decode(**fields)
    assert frame.image_size == frame.upright_size == size
    np.testing.assert_array_equal(frame.pixels, pixels)
    sampled = whole(frame)
    assert sampled.dtype == GREY[encoding]
    np.testing.assert_array_equal(sampled, pixels)


@given(st.sampled_from(sorted(SIGNED)), sizes, st.integers(0, 9), st.booleans(), containers)
def test_signed_and_long_values_become_float32(encoding, size, padding, big, container) -> None:
    pixels = (noise(size, np.int64) % 60000 - 30000).astype(SIGNED[encoding])
    fields = message(pixels, encoding, padding, big)
    fields["data"] = container(fields["data"])
    frame = decode(**fields, options=Decoding(UNITS["celsius"]))
    assert frame.pixels.dtype == np.float32 and frame.pixels.dtype.isnative
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_of_64_bit_what_is_beyond_32_is_dead() -> None:
    pixels = np.full((9, 9), 30.0)
    pixels[4, 4] = 1e300
    frame = decode(**message(pixels, "64FC1"))
    assert (frame.pixels == 30.0).all() and frame.dead_share == pytest.approx(1 / 81)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("MONO16", "mono16"),
        ("16uc1", "16UC1"),
        ("Y16 ", "mono16"),
        ("mono12", "mono16"),
        ("16U C1", "16UC1"),
        ("float32", "32FC1"),
        ("BGR", "bgr8"),
        ("gray", "mono8"),
    ],
)
def test_a_wrong_name_of_an_encoding_is_answered_with_the_likely_one(wrong: str, right: str) -> None:
    fields = message(noise((4, 3), np.uint16), "mono16") | {"encoding": wrong}
    with pytest.raises(ImageError, match=f'encoding "{wrong}" is not supported.*did you mean "{right}"'):
        decode(**fields)


@given(st.sampled_from(sorted(COLOUR)), sizes, st.integers(0, 9))
def test_colour_becomes_luma(encoding, size, padding) -> None:
    pixels = noise(size, np.uint8, COLOUR[encoding])
    frame = decode(**message(pixels, encoding, padding))
    red, blue = (0, 2) if encoding.startswith("rgb") else (2, 0)
    luma = 0.299 * pixels[..., red] + 0.587 * pixels[..., 1] + 0.114 * pixels[..., blue]
    np.testing.assert_allclose(frame.pixels, luma, atol=1)


@given(st.sampled_from(sorted(YUV)), sizes, st.integers(0, 9))
def test_yuv_keeps_its_luma(encoding, size, padding) -> None:
    pixels = noise((2 * size[0], size[1]), np.uint8, 2)
    frame = decode(**message(pixels, encoding, padding))
    np.testing.assert_array_equal(frame.pixels, pixels[..., YUV[encoding]])


@pytest.mark.parametrize("encoding", sorted(GREY))
def test_pixels_are_a_view_into_the_message(encoding: str) -> None:
    pixels = np.ones((20, 30), GREY[encoding])
    data = array.array("B", pixels.tobytes())
    frame = decode(data, height=20, width=30, encoding=encoding, step=30 * pixels.itemsize, is_bigendian=False)
    assert np.shares_memory(frame.pixels, np.frombuffer(data, np.uint8))


def test_the_last_row_may_lack_its_padding() -> None:
    fields = message(noise((30, 20), np.uint16), "mono16", padding=4)
    fields["data"] = fields["data"][:-4]
    assert decode(**fields).pixels.shape == (20, 30)


# Malformed images


MALFORMED = {
    "zero width": ({"width": 0}, "size", "0 x 20 pixels"),
    "zero height": ({"height": 0}, "size", "30 x 0 pixels"),
    "unknown encoding": (
        {"encoding": "mono12"},
        "encoding",
        'encoding "mono12" is not supported, expected one of mono8',
    ),
    "no encoding": ({"encoding": ""}, "encoding", 'encoding ""'),
    "step too small": ({"step": 59}, "step", "step is 59 bytes, expected at least 60"),
    "no step": ({"step": 0}, "step", "step is 0 bytes"),
    "short data": ({"data": bytes(1199)}, "short_data", "data has 1199 bytes, expected 1200"),
    "no data": ({"data": b""}, "short_data", "data has 0 bytes"),
    "step too large": ({"step": 61}, "short_data", "expected 1220"),
    "100 megapixels": ({"width": 10_000, "height": 10_000, "step": 20_000}, "max_pixels", "100000000 pixels"),
    "overflowing size": (
        {"width": 2**32 - 1, "height": 2**32 - 1, "step": 2**32 - 1},
        "max_pixels",
        "expected at most",
    ),
    "all NaN": (
        {"data": np.full(600, np.nan, "f4").tobytes(), "encoding": "32FC1", "step": 120},
        "not_finite",
        "100% of",
    ),
    "odd yuv": ({"width": 15, "encoding": "yuv422", "step": 60}, "size", "expected an even number"),
}


@pytest.mark.parametrize(("change", "reason", "text"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_images_are_refused_by_name(change: dict[str, Any], reason: str, text: str) -> None:
    with pytest.raises(ImageError, match=text) as error:
        decode(**{**message(noise((30, 20), np.uint16), "mono16"), **change})
    assert error.value.reason == reason
    assert "\n" not in str(error.value)


@given(
    st.binary(max_size=400),
    st.integers(0, 40),
    st.integers(0, 40),
    st.sampled_from([*ENCODINGS, "jpeg"]),
    st.integers(0, 200),
    st.booleans(),
    st.sampled_from([0, 90, 180, 270]),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
)
def test_anything_is_decoded_or_refused(data, height, width, encoding, step, big, rotation, rows) -> None:
    fields = {"height": height, "width": width, "encoding": encoding, "step": step, "is_bigendian": big}
    try:
        frame = decode(data, **fields, options=Decoding(rotation=rotation, rows=rows))
    except ImageError as error:
        assert error.reason
    else:
        assert np.isfinite(whole(frame)).all()


def test_dropping_all_rows_is_refused() -> None:
    with pytest.raises(ImageError, match=r"12 \+ 8 rows.* only 20") as error:
        decode(**message(noise((30, 20), np.uint16), "mono16"), options=Decoding(rows=(12, 8)))
    assert error.value.reason == "rows"


@pytest.mark.parametrize("encoding", [*COLOUR, *YUV])
def test_a_palette_is_no_temperature(encoding: str) -> None:
    pixels = noise((30, 20), np.uint8, COLOUR.get(encoding, 2))
    with pytest.raises(ImageError, match="holds no temperatures") as error:
        decode(**message(pixels, encoding), options=Decoding(UNITS["centikelvin"]))
    assert error.value.reason == "unit"


@pytest.mark.parametrize("settings", [{"rotation": 45}, {"rows": (-1, 0)}])
def test_wrong_options_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Decoding(**settings)


# Dead pixels


@pytest.mark.parametrize("dead", [np.nan, np.inf, -np.inf, 3e38])
def test_dead_pixels_are_filled_from_their_neighbours(dead: float) -> None:
    pixels = np.full((20, 30), 21.0, np.float32)
    pixels[:, 15:] = 35.0
    pixels[4, 20] = pixels[10:12, 3:5] = dead
    frame = decode(**message(pixels, "32FC1"), options=Decoding(UNITS["celsius"]))
    assert frame.pixels[4, 20] == pytest.approx(35.0)
    assert frame.pixels[10, 3] == pytest.approx(21.0)
    assert frame.dead_share == pytest.approx(5 / 600)
    assert "not finite" in frame.warnings()[0]


# Units


RADIOMETRIC = {
    "centikelvin": (30815, 35.0),
    "decikelvin": (3082, 35.05),
    "tlinear_0.04": (7704, 35.01),
    "tlinear_0.4": (770, 34.85),
    "kelvin_64": (19722, 35.01),
    "kelvin": (308.15, 35.0),
    "celsius": (35.0, 35.0),
    "optris": (1350, 35.0),
    "gazebo_8bit": (103, 35.85),
}
COUNTS = ("counts", "agc")


@pytest.mark.parametrize(("unit", "raw", "celsius"), [(unit, *values) for unit, values in RADIOMETRIC.items()])
def test_units(unit: str, raw: float, celsius: float) -> None:
    frame = decode_array(np.full((4, 4), raw, np.float32), Decoding(UNITS[unit]))
    assert float(frame.celsius(raw)) == pytest.approx(celsius, abs=0.01)
    assert frame.warnings() == []


@pytest.mark.parametrize("unit", COUNTS)
def test_counts_are_no_temperatures(unit: str) -> None:
    frame = decode_array(noise((4, 4), np.uint16), Decoding(UNITS[unit]))
    assert np.isnan(frame.celsius(frame.pixels)).all()
    assert frame.warnings() == []


def test_every_unit_is_tested() -> None:
    assert {*RADIOMETRIC, *COUNTS} == set(UNITS)


def test_an_implausible_temperature_only_warns() -> None:
    frame = decode_array(np.full((4, 4), 3000, np.uint16), Decoding(UNITS["centikelvin"]))
    assert "-243 degC" in frame.warnings()[0]


@pytest.mark.parametrize(("scale", "offset"), [(0.0, 1.0), (np.nan, 0.0), (1.0, np.inf)])
def test_a_unit_without_meaning_is_refused(scale: float, offset: float) -> None:
    with pytest.raises(ValueError, match="expected a scale of"):
        Unit("custom", scale, offset)


# Arrays


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays_are_not_copied(dtype: type) -> None:
    pixels = noise((30, 20), dtype)
    assert np.shares_memory(decode_array(pixels).pixels, pixels)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.float64, np.float16])
def test_other_numbers_are_converted(dtype: type) -> None:
    pixels = noise((30, 20), np.uint8).astype(dtype)
    np.testing.assert_array_equal(decode_array(pixels).pixels, pixels)
    np.testing.assert_array_equal(decode_array(-pixels).pixels, -pixels)


@pytest.mark.parametrize("view", [np.s_[::-1], np.s_[:, ::-1], np.s_[::2, ::3]])
def test_any_view_can_be_sampled(view: Any) -> None:
    pixels = noise((30, 20), np.uint16)[view]
    np.testing.assert_array_equal(whole(decode_array(pixels)), pixels)
    np.testing.assert_array_equal(whole(decode_array(pixels.T)), pixels.T)


@pytest.mark.parametrize(
    ("shape", "dtype", "reason"),
    [
        ((4,), np.uint8, "shape"),
        ((4, 4, 2), np.uint8, "shape"),
        ((4, 4, 3), np.uint16, "shape"),
        ((4, 4), np.complex64, "shape"),
        ((0, 4), np.uint8, "size"),
        ((5000, 4000), np.uint8, "max_pixels"),
    ],
)
def test_arrays_that_are_no_images_are_refused(shape: Any, dtype: Any, reason: str) -> None:
    with pytest.raises(ImageError) as error:
        decode_array(np.zeros(shape, dtype))
    assert error.value.reason == reason


# Rotation, row crop and sampling


@st.composite
def decodings(draw: st.DrawFn) -> Decoding:
    rows = (draw(st.integers(0, 9)), draw(st.integers(0, 9)))
    return Decoding(rotation=draw(st.sampled_from([0, 90, 180, 270])), rows=rows)


@given(decodings(), st.sampled_from([np.uint8, np.uint16, np.float32]), st.booleans())
def test_upright_is_what_numpy_turns(options: Decoding, dtype: Any, big: bool) -> None:
    pixels = noise((40, 30), dtype)
    encoding = {np.uint8: "mono8", np.uint16: "mono16", np.float32: "32FC1"}[dtype]
    frame = decode(**message(pixels, encoding, 3, big), options=options)
    kept = pixels[options.rows[0] : 30 - options.rows[1]]
    np.testing.assert_array_equal(whole(frame), np.rot90(kept, k=-options.rotation // 90))


def spot(size: tuple[int, int], place: tuple[float, float], sigma: float) -> np.ndarray:
    y, x = np.mgrid[: size[1], : size[0]]
    distance = (x - place[0]) ** 2 + (y - place[1]) ** 2
    return (1000 + 50000 * np.exp(-distance / (2 * sigma**2))).astype(np.uint16)


def centroid(image: np.ndarray) -> np.ndarray:
    weight = np.clip(image.astype(float) - 2000, 0, None)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@given(
    decodings(),
    st.tuples(st.floats(30, 130), st.floats(30, 90)),
    st.floats(-3.1, 3.1),
    st.floats(40, 200),
    st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)),
    st.booleans(),
)
def test_a_spot_is_where_the_geometry_says(options, place, angle, side, shift, big) -> None:
    """Wherever a spot is in the incoming image, it appears at the right place of any crop, and leads back to where it was."""
    frame = decode(**message(spot((160, 120), place, 3.0), "mono16", big=big), options=options)
    upright = frame.upright_to_image.inverse()(place)
    middle = upright + side * np.array(shift)
    crop = crop_from_box((*(middle - side / 2), side, side), 64, 1.0, angle)
    found = centroid(frame.sample(crop, (64, 64)))
    pixel = max(1.0, side / 64)
    np.testing.assert_allclose(crop(found), upright, atol=0.15 * pixel)
    np.testing.assert_allclose(frame.upright_to_image(crop(found)), place, atol=0.15 * pixel)


@given(decodings(), st.tuples(st.floats(40, 600), st.floats(40, 470)), st.integers(80, 320))
def test_a_spot_is_where_the_geometry_says_in_the_whole_frame(options, place, longer) -> None:
    frame = decode(**message(spot((640, 512), place, 8.0), "mono16"), options=options)
    width, height = frame.upright_size
    size = (round(width * longer / max(width, height)), round(height * longer / max(width, height)))
    to_upright = Affine.resize(size, (width, height))
    found = frame.upright_to_image(to_upright(centroid(frame.sample(to_upright, size))))
    np.testing.assert_allclose(found, place, atol=0.15 * 640 / longer)  # of a sampled pixel


@given(st.tuples(st.floats(-200, 300), st.floats(-200, 300)), st.floats(1, 900), st.sampled_from([0, 90, 180, 270]))
def test_outside_the_image_its_border_goes_on(centre, side, rotation) -> None:
    pixels = noise((31, 23), np.uint16)
    frame = decode_array(pixels, Decoding(rotation=rotation))
    sampled = frame.sample(crop_from_box((*centre, side, side), 32, 1.0), (32, 32))
    assert sampled.min() >= pixels.min()
    assert sampled.max() <= pixels.max()


def test_shrinking_averages() -> None:
    """A checkerboard becomes its mean instead of a moire."""
    pixels = (np.indices((512, 640)).sum(axis=0) % 2 * 1000).astype(np.uint16)
    frame = decode_array(pixels)
    for longer in (320, 160, 100):
        size = (longer, longer * 4 // 5)
        np.testing.assert_allclose(frame.sample(Affine.resize(size, (640, 512)), size), 500, atol=60)


def test_sampling_agrees_with_opencv() -> None:
    pixels = cv2.GaussianBlur(noise((160, 120), np.uint16), (0, 0), 3)
    sampled = decode_array(pixels).sample(Affine.resize((80, 60), (160, 120)), (80, 60))
    np.testing.assert_array_equal(sampled, cv2.resize(pixels, (80, 60), interpolation=cv2.INTER_AREA))
