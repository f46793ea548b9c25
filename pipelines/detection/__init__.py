"""Detection and instance segmentation: COCO data, training, average precision, predictions, ranking."""
