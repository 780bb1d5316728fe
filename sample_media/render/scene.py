"""The whole street in Blender, and the camera that looks at it."""

import math
import random

import bpy
import layout
from car import CarModel
from fire import add_fire
from litter import LitterModels, add_bin
from mathutils import Euler, Matrix
from passes import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX, SENSOR_WIDTH_MM, Pass
from street import (
    PAVEMENT_Z_M,
    add_fire_lane,
    add_houses,
    add_road,
    add_sky,
    add_sun,
    add_trees,
)

STREET_X = (-30, 160)
Things = dict[str, list[bpy.types.Object]]


def _set_up_cycles(samples: int) -> None:
    """The cheapest settings that still look clean: half a minute a frame on one core."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.use_persistent_data = True
    scene.render.resolution_x, scene.render.resolution_y = IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    # A fixed seed: what the denoiser leaves of the noise then stands still from frame to frame.
    cycles.seed, cycles.use_animated_seed = 7, False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_quality, cycles.denoising_prefilter = "BALANCED", "FAST"
    cycles.max_bounces = cycles.transmission_bounces = 3
    cycles.diffuse_bounces = cycles.glossy_bounces = 1
    cycles.transparent_max_bounces, cycles.volume_bounces = 4, 0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.use_adaptive_sampling = False
    cycles.sample_clamp_indirect = 3
    cycles.volume_biased, cycles.volume_step_rate, cycles.volume_max_steps = True, 2, 64


def build(one: Pass, samples: int = 4) -> Things:
    """An empty file becomes the street in the light of this pass; the objects of each thing."""
    for old in list(bpy.data.objects):
        bpy.data.objects.remove(old)
    _set_up_cycles(samples)
    add_sky(one.sun_elevation_deg)
    add_sun(one.sun_azimuth_deg, one.sun_elevation_deg)
    add_road(*STREET_X)
    add_houses(random.Random(11), *STREET_X)
    add_trees(random.Random(4), layout.TREES_XY)
    add_fire_lane(layout.FIRE_LANE_X, layout.FIRE_LANE_KERB_Y)
    models = {style: CarModel(style) for style in ("sedan", "hatch")}
    things = {
        car.id: models[car.style].place(
            car.id, (car.x, car.y), math.pi if car.is_oncoming else 0.0, car.colour, car.plate
        )
        for car in layout.PARKED_CARS
    }
    litter = LitterModels()
    things |= {pile.id: litter.add_pile(pile) for pile in layout.LITTER}
    things[layout.BIN_ID] = add_bin(layout.BIN_ID, *layout.BIN_XY, PAVEMENT_Z_M)
    things[layout.FIRE_ID] = add_fire(layout.FIRE_ID, *layout.FIRE_XY, layout.FIRE_SIZE)
    return things


def add_camera(one: Pass) -> bpy.types.Object:
    lens = bpy.data.cameras.new(one.name)
    lens.sensor_width, lens.lens = SENSOR_WIDTH_MM, one.lens_mm
    camera = bpy.data.objects.new(one.name, lens)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    return camera


def aim(camera: bpy.types.Object, pose: tuple[float, ...]) -> None:
    """Set a pose of `passes.camera_poses`: x, y, height, yaw, pitch, roll."""
    x, y, height, *angles_deg = (float(part) for part in pose)
    yaw, pitch, roll = (math.radians(angle) for angle in angles_deg)
    # A Blender camera looks along its own −z with y up; roll is clockwise seen from behind.
    turned = Euler((0, 0, yaw - math.pi / 2)).to_matrix()
    tilted = Euler((math.pi / 2 + pitch, 0, 0)).to_matrix()
    rotation = turned @ tilted @ Matrix.Rotation(-roll, 3, "Z")
    camera.location, camera.rotation_euler = (x, y, height), rotation.to_euler()
