<<<<<<<< HEAD:dashboard-ui/dist/assets/plus-BHv0GT_u.js
import{Kt as e}from"./index-Dat_Y0EY.js";var t={name:`plus`,size:24,node:[[`path`,{d:`M5 12h14`,key:`1ays0h`}],[`path`,{d:`M12 5v14`,key:`s699le`}]]};t.node;var n=e(t);export{n as t};
========
import{Kt as e}from"./index-r-CU_lTf.js";var t={name:`plus`,size:24,node:[[`path`,{d:`M5 12h14`,key:`1ays0h`}],[`path`,{d:`M12 5v14`,key:`s699le`}]]};t.node;var n=e(t);export{n as t};
>>>>>>>> 52783b2 (Dashboard: menus of the list are drawn while they are open):dashboard-ui/dist/assets/plus-DgYrafC1.js
