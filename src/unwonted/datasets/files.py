"""The publishers' files: where they lie, and refused unless they are to the byte those of the results."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from unwonted.errors import DataError

__all__ = [
    "ADBENCH",
    "ARRHYTHMIA",
    "EMBEDDINGS",
    "KDDCUP",
    "MNIST",
    "NATOPS",
    "NSL_KDD",
    "SHA256",
    "SHOPPERS",
    "UNSW_PART",
    "UNSW_TEST",
    "UNSW_TRAIN",
    "arrays",
    "data_folder",
    "table",
]

_ADBENCH = {
    "1_ALOI": "792d0b5bd1147bfc9574a1974f157b39fbd4cbed8ecd04cf983fd554498ed477",
    "2_annthyroid": "e738f7c58a8740d2c4aac4c71ff49ce5e1d1aa16f44178135fc9c09df05fad1b",
    "4_breastw": "4f37ce07dbc25ddad8178fdc6d664ab46d2d0000ee28c2787c3c7ff3c03ef9f6",
    "6_cardio": "bc5009bde6930b4d298b594f31b34485a9a17210cff0e8fb00a8c3068b885a2d",
    "7_Cardiotocography": "5ae84910430f05923e11b6f537243263977c9136949dabd891e3570aeec51e29",
    "8_celeba": "1cadfdea14cd8d240eca715a70c09c88af8621d086a7478c63f602d97adef0b5",
    "11_donors": "5824ec854465f2763b4bfe3da1ae9f25ed5433b5c6e265d42e37da4f82a58679",
    "12_fault": "ec27301f9a4cf7c5d8b22c360cf37ddb043b7fb062465723dfd8b34e2771e5dd",
    "15_Hepatitis": "4a87a2f7d8013e5bfde63294fae61ec7a612322de72f338a7f9491749025ad98",
    "16_http": "9d98710091551587f4740cfc851a6b064fff6319a337c2dc77ee6da4bcc2e02c",
    "19_landsat": "ba17e2158c07469597b89db49d3982c874c6b713ff6670721ddc88969da77987",
    "21_Lymphography": "dad977b04f4ea65b78ccd0e9f76b45175bad605165b37e63f3cc177845e67037",
    "24_mnist": "be7706272325fdd3592c1be555ae1a82f916a2f8545f4f8cbaa548ab102cc44c",
    "26_optdigits": "60de17a375a278ba220a7849727d998aa02b5e2f9fd17732a004bba28de4656e",
    "27_PageBlocks": "10a9b4d5bb5d3b9083caab4c4062f665610eada703c3d927bf7c34b1f2d0d223",
    "28_pendigits": "c4936b89dcdad59d303020e492f763a0f54170080d787c77497609acbb9c2d79",
    "30_satellite": "1f048f5686f1b8c16a227fdfa3c81a62cd9a92715714a6b24c69b1c5ad96b46e",
    "31_satimage-2": "1b056e357f801b8b20c3f380a30224a3c4088d7ed764ec5a24828dc9b1918d6f",
    "33_skin": "d02aa01ffc1b6bf2b8b1ac250c90e8a8eacd0cefc962940ed5cc4bf5deac9c95",
    "34_smtp": "d2569fc9bc12115419e3f5b37d19921e10e6c26e5ad1e61064cfb0fbc402dfdd",
    "35_SpamBase": "d0c46c7928e43f6496bcd06e09de0b70f6bc8143792dfa0a43f450263d254e9b",
    "38_thyroid": "8de161b3f235b7647bb0b39a836d983ff61d67bf234edac461da2d71e889cb87",
    "39_vertebral": "0816286f92b96fe6867664a41a031ac7228dcfbf1a5feefe50ca3883b2e9073d",
    "41_Waveform": "6c9d867337ad1a2f8372c1d27f4c032f0401237e2041b7c45f00de8d319ff30f",
    "42_WBC": "650f9dcb129248f67a291be0974f533ef259fcbde50fce5c8ad2a1cb2652d03b",
    "43_WDBC": "78d4606a1ab516f5b60b00c196497f3bbd6bd5e4548fd04cf5f2475209b34b85",
    "45_wine": "d5ad8965d92cc57122fe1e6572bb301adbaf795b3e166d187ae00a704d8f6e20",
    "46_WPBC": "68a6d67242643855713bcdad07d89ecc472bd00000dccc17ba87916eb2693d19",
}
ADBENCH = {int(name.split("_", 1)[0]): name for name in _ADBENCH}
"""ADBench's classical tables by their number."""

_EMBEDDINGS = {
    "BERT_20news_3": "b5a1d572cac7c81ebc3cf485649c45b7580cb326edf07a1681679984d016831d",
    "ResNet18_CIFAR10_0": "f0e89be5576c37e5c2f7393f7a478d8ec0cc348559fc177c273ff076ef10db00",
    "ResNet18_CIFAR10_6": "f38334eec73be985612685b3efb99c58faaba7b154ecb5ed9b809acdc4cae9c9",
    "ResNet18_MVTec-AD_bottle": "9eb7a78f1f6ecfcd00391ea01fe06f998e3fb7b8e89a34c06d69786ee38a8059",
    "ResNet18_MVTec-AD_cable": "65f36182cf75ba1b2629af7bee3eec87ed9b050796e0b7c06493993e0ba4cee1",
    "ResNet18_MVTec-AD_capsule": "b5d97c3b3c08b0c25fdb3b0fd50e9b9fd24bd75b4e36956d47159e715d52470d",
    "ResNet18_MVTec-AD_grid": "376fe5d7568fb3c1b9056a03aef6c0c350476a11b4f4579e6b7d8f8e5405f837",
    "ResNet18_MVTec-AD_leather": "c4615f05409b0ae785a007889b4521cf3c3a43ce5b7ff7623f2255c121ef1e29",
    "ResNet18_MVTec-AD_metal_nut": "c00f29018bbf304c8e50d366fccc635ded7da90dea7e4a2fd41afb1a62609796",
    "ResNet18_MVTec-AD_screw": "a143cbb84cb2a8bbd5b86065bf56fffbc5c9a52d5da4ba9826c844fe35ef68fa",
    "ResNet18_MVTec-AD_tile": "6d4564cd2844ff91274612b0dba39c3cfbabedf4535ec3573889bbd575075086",
    "ResNet18_MVTec-AD_toothbrush": "798a5edef4291e0466d2a7234101ee496927ddd96d0cbb620da008f4ed06753e",
    "ResNet18_MVTec-AD_wood": "5fb9b4b57f6d66ab06ca3575d51359b0110943d4df4a20b495b1583730fc8d98",
    "ResNet18_SVHN_0": "3526704c19ae4c62337a37f1f9294e3ec065d9f7a8e21f9e7c881b5acab13579",
}
EMBEDDINGS = tuple(_EMBEDDINGS)
"""ADBench's image and text sets as feature vectors."""

UNSW_PART = "unsw-nb15/unsw_nb15_part82332.parquet"
UNSW_TRAIN = "unsw-nb15/unsw_nb15_oneclass_train_56000.parquet"
UNSW_TEST = "unsw-nb15/unsw_nb15_oneclass_test_82332.parquet"
NSL_KDD = "nsl-kdd/nsl_kdd_train_plus.parquet"
SHOPPERS = "online-shoppers/online_shoppers_intention.parquet"
KDDCUP = "kddcup99/kddcup99_10_percent.parquet"
ARRHYTHMIA = "arrhythmia/arrhythmia.npz"
MNIST = "mnist/mnist.npz"
NATOPS = "natops/natops.npz"
SHA256 = {
    UNSW_PART: "712f1e6cdd709abcf4978751b278be9f1904c6735f1c8ceada6c095f85f8bdf2",
    UNSW_TRAIN: "8de4502b4a962cc49ee05646bcf0e8325bda85af3ff4ed657c6c6757279e61bf",
    UNSW_TEST: "4dfbde38715834ccffe6ec0f281902ab80afaec329140ca266f5c82b256eccfc",
    NSL_KDD: "8d90e128a7ca56ac982edbb8e7cde2703197394b5740b99090d957c4aae1987b",
    SHOPPERS: "d5dc87f9edd6a85e12955c97f2b3739752dfc04a1e7f7d6886513f8f93c940b7",
    KDDCUP: "1e91b00bd4a20203f96b9712809e41329005e0d589c98456d63182eaee7fd206",
    ARRHYTHMIA: "c7123b50dfc02d6846c571688ad534707e11517025a4feb2758b07ed72e6dfd6",
    MNIST: "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64",
    NATOPS: "c875640792f44b3a51529f7ffdf8291b8604a1ed783c036e3db02d86f6c60c3d",
}
SHA256 |= {f"adbench/classical/{name}.npz": sha256 for name, sha256 in _ADBENCH.items()}
SHA256 |= {f"adbench/embeddings/{name}.npz": sha256 for name, sha256 in _EMBEDDINGS.items()}
"""SHA-256 of each file by its path in the folder."""


def data_folder() -> Path:
    """Where the publishers' files lie: `$UNWONTED_DATA`, else `../shared/data` beside the current folder."""
    return Path(os.environ.get("UNWONTED_DATA") or "../shared/data")


def _read(path: str) -> bytes:
    file = data_folder() / path
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"No data file {file}: set UNWONTED_DATA to the folder that holds {path}.") from error
    found, sha256 = hashlib.sha256(data).hexdigest(), SHA256[path]
    if found != sha256:
        raise DataError(f"The data file {file} is not the publisher's (SHA-256 {found[:12]}…, not {sha256[:12]}…).")
    return data


def table(path: str) -> pa.Table:
    """A Parquet file of `SHA256`.

    Raises:
        DataError: The file is missing or altered.
    """
    return pq.read_table(io.BytesIO(_read(path)))


def arrays(path: str) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file of `SHA256`; raises as `table` does."""
    with np.load(io.BytesIO(_read(path))) as stored:
        return {name: stored[name] for name in stored.files}
