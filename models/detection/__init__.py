"""Detection and instance segmentation: torchvision's Faster and Mask R-CNN on frequency channels, and on pixels."""

from freqlearn.models.detection.anchors import PictureAnchorGenerator
from freqlearn.models.detection.backbone import resnet_fpn
from freqlearn.models.detection.constructors import (
    DetectorOptions,
    fasterrcnn_resnet18_fpn,
    fasterrcnn_resnet50_fpn,
    fasterrcnn_resnet101_fpn,
    maskrcnn_resnet18_fpn,
    maskrcnn_resnet50_fpn,
    maskrcnn_resnet101_fpn,
)
from freqlearn.models.detection.options import RCNNOptions
from freqlearn.models.detection.pooling import PyramidRoIAlign
from freqlearn.models.detection.rcnn import FrequencyFasterRCNN, FrequencyMaskRCNN, FrequencyRCNN
from freqlearn.models.detection.sized_maps import Detection, SizedMaps, Target
from freqlearn.models.detection.transform import MapsTransform
from freqlearn.models.detection.weights import load_backbone

__all__ = [
    "Detection",
    "DetectorOptions",
    "FrequencyFasterRCNN",
    "FrequencyMaskRCNN",
    "FrequencyRCNN",
    "MapsTransform",
    "PictureAnchorGenerator",
    "PyramidRoIAlign",
    "RCNNOptions",
    "SizedMaps",
    "Target",
    "fasterrcnn_resnet18_fpn",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet101_fpn",
    "load_backbone",
    "maskrcnn_resnet18_fpn",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet101_fpn",
    "resnet_fpn",
]
