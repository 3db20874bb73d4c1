"""GB/T 3304: codes of ethnic groups (民族), as cards carry them."""

from __future__ import annotations

__all__ = ["NATIONS"]

_IN_ORDER = (
    "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜",  # 01 to 10
    "满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳",
    "佤 畲 高山 拉祜 水 东乡 纳西 景颇 柯尔克孜 土",
    "达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米",
    "塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔",
    "独龙 鄂伦春 赫哲 门巴 珞巴 基诺",
)

NATIONS: dict[str, str] = {f"{number:02d}": name for number, name in enumerate(" ".join(_IN_ORDER).split(), 1)}
"""Two-digit code to name, without the word 族, as cards are printed."""

NATIONS |= {"97": "其他", "98": "外国血统中国籍人士"}
